// Runs before the page, behind fast.js: what it asks for again comes with other
// figures, with fewer digits and with more, so that it shows what moves with them.
(() => {
  const FACTORS = [1, 3, 17, 140, 0.2], ask = window.fetch;
  const VARIED = /(_ms|_usd|bytes|^(entries|unread|pending|backlog|open_intents|requests|total_requests|errors|verdicts|users|tokens_in|tokens_out|weight|lambda|spent_usd|memory|redis|postgres|miss))$/;
  let turn = 0;

  function vary(value, key, factor) {
    if (Array.isArray(value)) return value.map((v) => vary(v, key, factor));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, vary(v, k, factor)]));
    if (typeof value !== "number" || !VARIED.test(key)) return value;
    return Number.isInteger(value) ? Math.round(value * factor) : value * factor;
  }

  window.fetch = async (...args) => {
    const answer = await ask(...args), isJSON = answer.headers.get("Content-Type")?.includes("json");
    if (!answer.ok || !isJSON || (args[1]?.method ?? "GET") !== "GET" || String(args[0]).endsWith("/metrics/live")) return answer;
    const varied = vary(await answer.json(), "", FACTORS[turn++ % FACTORS.length]);
    return new Response(JSON.stringify(varied), { status: answer.status, headers: answer.headers });
  };
})();
