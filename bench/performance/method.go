package performance

import (
	"fmt"

	"github.com/busuhq/busu/bench/mock"
)

func (r *results) method() string {
	t := r.options.times()
	return fmt.Sprintf(`
## Method

- Rounds in turns: in each, everything has its turn, with new stores and new processes of busu. The upstream and every bare proxy are
  processes of their own. The upstream answers %d bytes, or %d events, and reads no more of a request than where it ends.
- The API has run for %s before it is measured: until then it asks Redis for answers that are not there. A quick run does not wait.
- 32 callers: a closed loop for %s, after %s that is not counted. 1k/s: an open loop for %s; a request is sent when it is due, however
  many are under way, and its latency counts from then. The pacer sleeps in the kernel and spins for the last 100 µs. Latencies are counted
  in buckets of a thousandth of their value.
- Every request is a question of its own, of eight kinds and lengths, from one of 1,000 users. Memory hits are %d questions again and
  again, Redis hits %d, of which an API with 1 MiB of memory is asked in turn. Each answer says where it came from.
- CPU is what the kernel accounts to a process and its children, while requests are counted; to Redis without the child that rewrites its
  append-only file, 4 to 15 µs per request: that comes to whatever is measured when the file has doubled, as the stream of facts does
  while no worker trims it. Allocations and collections are the API's own, from its /metrics.
- Fixed: the model is named, and no answer looked for. Routed: everything that is switched on. The Echo proxy reads both bodies into
  structs and writes them again; Echo with constant JSON does not read the request; Echo with a GET takes its answer from the same Redis.
- Troubles: an upstream of %s ± %s; one of which %g %% of the calls fail; twice what a provider bears that has %d calls at the same time
  of %s and a queue of %d; a store that is stopped when counting begins, for %s. limits.when_unavailable is open.

## Peers

Other gateways are measured in turn with the rest when they run and ask the upstream of the run:

`+"```sh norun: needs peers that run"+`
make bench BENCH="-mock 127.0.0.1:9900 -peer NAME=URL,model=MODEL,header=…"
`+"```"+`

Their CPU and memory are those of whoever listens at the address, and of its children.

| peer | start, with the upstream at 127.0.0.1:9900 | -peer |
| --- | --- | --- |
| Bifrost | `+"`npx -y @maximhq/bifrost`"+` with a config.json whose provider openai has the network_config base_url http://127.0.0.1:9900 and any key; client.enable_logging false, concurrency 1000 | `+"`bifrost=http://127.0.0.1:8080/v1,model=openai/gpt-4o-mini`"+` |
| LiteLLM | `+"`pip install 'litellm[proxy]'; LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true litellm --config config.yaml`"+` with model_list: model_name mock, litellm_params {model: openai/mock, api_base: http://127.0.0.1:9900/v1, api_key: x} | `+"`litellm=http://127.0.0.1:4000/v1,model=mock`"+` |
| Portkey | `+"`TRUSTED_CUSTOM_HOSTS=127.0.0.1 npx -y @portkey-ai/gateway`"+` | `+"`portkey=http://127.0.0.1:8787/v1,header=Authorization: Bearer x,header=x-portkey-provider: openai,header=x-portkey-custom-host: http://127.0.0.1:9900/v1`"+` |
| GoModel | its binary, with OPENAI_API_KEY=x OPENAI_BASE_URL=http://127.0.0.1:9900/v1 OPENAI_MODELS=mock CONFIGURED_PROVIDER_MODELS_MODE=allowlist USAGE_ENABLED=false LOGGING_ENABLED=false | `+"`gomodel=http://127.0.0.1:8080/v1,model=mock`"+` |
`, mock.AnswerBytes, mock.Events, cacheTTL, t.closed, t.warm, t.open, cached, cachedTwo,
		slowLatency, slowJitter, 100*flakyShare, tightCalls, tightLatency, tightQueue, t.trouble)
}
