package tracing

// What spans and their attributes are called. Those of gen_ai are of the
// semantic conventions for generative AI, which are in development (their
// release 0.1.0 is what is meant here), so all of them are in this file.
// https://github.com/open-telemetry/semantic-conventions-genai
const (
	genAIOperation    = "gen_ai.operation.name"
	genAIProvider     = "gen_ai.provider.name"
	genAIModel        = "gen_ai.request.model"
	genAIMaxTokens    = "gen_ai.request.max_tokens"
	genAITemperature  = "gen_ai.request.temperature"
	genAITopP         = "gen_ai.request.top_p"
	genAIChoices      = "gen_ai.request.choice.count"
	genAIStream       = "gen_ai.request.stream"
	genAIAnswered     = "gen_ai.response.model"
	genAIFinished     = "gen_ai.response.finish_reasons"
	genAIFirstChunk   = "gen_ai.response.time_to_first_chunk" // seconds
	genAITokensIn     = "gen_ai.usage.input_tokens"
	genAITokensOut    = "gen_ai.usage.output_tokens"
	genAITokensCached = "gen_ai.usage.cache_read.input_tokens"
	genAIReasoning    = "gen_ai.usage.reasoning.output_tokens"

	opChat       = "chat"
	opEmbeddings = "embeddings"
)

// Vendors as the conventions call them; others go by their name here.
var vendors = map[string]string{"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}

// Names of the stable conventions.
const (
	httpMethod = "http.request.method"
	httpRoute  = "http.route"
	httpStatus = "http.response.status_code"
	errorType  = "error.type"
	batchCount = "messaging.batch.message_count"
	batchFrom  = "messaging.destination.name"
	batchOn    = "messaging.system"
	service    = "service.name"
	version    = "service.version"
	instance   = "service.instance.id"
)

// Names of our own.
const (
	spanPlan    = "plan"
	spanStream  = "stream"
	spanPersist = "persist"
	spanLookup  = "cache lookup"

	busuRequest    = "busu.request_id"
	busuProject    = "busu.project"
	busuStrategy   = "busu.strategy"
	busuModel      = "busu.model"
	busuConfidence = "busu.confidence"
	busuComplexity = "busu.complexity"
	busuChoices    = "busu.choices" // models in the plan
	busuSnapshot   = "busu.snapshot"
	busuCache      = "busu.cache"
	busuCacheMatch = "busu.cache_match"
	busuHit        = "busu.hit"
	busuLevel      = "busu.cache_level"
	busuStatus     = "busu.status"
	busuFallbacks  = "busu.fallbacks" // models that failed before
	busuDegraded   = "busu.degraded"
	busuHoldout    = "busu.holdout"
	busuArms       = "busu.experiments" // id/arm
	busuCost       = "busu.cost_usd"
	busuOverhead   = "busu.overhead_ms"
	busuVendor     = "busu.provider" // the configured one's name
	busuChunks     = "busu.chunks"
	busuNew        = "busu.new" // facts that were not stored yet
	busuRole       = "busu.role"
)
