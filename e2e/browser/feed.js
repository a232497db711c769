// Runs before the page: a socket that says what the test pushes, a second of
// the page's time after the other.
(() => {
  let socket = null, last = null;
  class Pushed {
    constructor() { socket = this; setTimeout(() => window.push(1), 0); }
    close() { if (socket === this) socket = null; }
  }
  window.WebSocket = Pushed;
  const ask = window.fetch;
  window.fetch = async (...args) => {
    const answer = await ask(...args);
    if (String(args[0]).endsWith("/metrics/live")) last = await answer.clone().json();
    return answer;
  };

  /** The next snapshot: figures go up and down by themselves. */
  function next(n) {
    last = structuredClone(last);
    last.as_of = new Date(Date.parse(last.as_of) + 1000).toISOString();
    last.requests_per_second = 20 + 15 * Math.sin(n / 7);
    last.cost_usd_per_hour = 1000 * (1 + Math.sin(n / 11));
    last.total_requests = Math.round(60 * last.requests_per_second);
    last.latency_ms.p95 = 700 + 600 * Math.sin(n / 5);
    return last;
  }

  let count = 0;
  window.push = async (n) => {
    for (let i = 0; i < n; i++) {
      while (!socket?.onmessage || !last) await new Promise((done) => setTimeout(done, 20));
      socket.onmessage({ data: JSON.stringify(next(++count)) });
      await new Promise((done) => requestAnimationFrame(done));
    }
    window.fed = true;
    return count;
  };
})();
