package simulated

// task is what a prompt asks for.
type task int

const (
	chat task = iota // nothing that the lexicon knows
	fact
	translation
	classification
	rewriting
	summary
	extraction
	creation
	arithmetic
	query
	planning
	coding
	debugging
	analysis
	reasoning
	tasks
)

// profile is what a task means for difficulty and for the answer.
type profile struct {
	base   float64 // difficulty of a plain prompt of this kind
	tokens float64 // median length of an answer
	shape  shape   // how an answer looks
	cues   string  // words that tell the task, in several languages
	hints  string  // words that go with the task, but with others too
}

// profiles describes every task. Words are matched whole; the bases are set
// by hand to what teams report: look-ups and labels are safe in small models'
// hands, several dependent steps are not.
func profiles() [tasks]profile {
	return [tasks]profile{
		chat: {.30, 90, prose, `hello hi thanks hallo bonjour hola`, ``},
		fact: {.10, 30, prose,
			`capital currency population invented hauptstadt capitale symbol spoken zone moneda melt mammal eat river`,
			`what which who whom when where is name called long does was wer wann wo welche quelle quel qui quand où
			qual quem cuál quién cuándo dónde chi dove wat wie`},
		translation: {.16, 45, prose,
			`translate translation translated übersetze übersetzen traduis traduire traduisez traduce traduzca traduza
			traduzir traduci tradurre vertaal przetłumacz`,
			`say into word french german spanish italian english portuguese dutch polish turkish greek czech`},
		classification: {.18, 12, label,
			`classify classification categorise categorize sentiment spam label tag sort urgent ordne klassifiziere
			classe classez clasifica classifique classifica`,
			`category intent positive negative neutral kategorie yes no favour whether`},
		rewriting: {.22, 60, prose,
			`rewrite rephrase reword shorten shorter proofread grammar friendlier umformulieren formuliere reformule
			reformulez reescribe reescreva riscrivi corrige herschrijf`,
			`tone polite politely politer formal correct notes sentence höflicher clearer paragraph turn`},
		summary: {.30, 80, prose,
			`summarise summarize summary tl dr takeaways recap headline zusammenfassen fasse zusammenfassung résume
			résumez resume resumen resuma riassumi samenvatten streść`,
			`gist sentences bullet points thread board`},
		extraction: {.30, 60, object,
			`extract json parse pull extrahiere extrais extrae extraia estrai`,
			`fields list entities keys structured names amounts`},
		creation: {.34, 220, prose,
			`poem story haiku limerick slogan slogans lyrics dialogue toast sonnet gedicht geschichte poème histoire
			poema cuento racconto`,
			`opening scene tale write invent tell about escreve mood`},
		arithmetic: {.42, 90, steps,
			`cost costs altogether left remain cent percent percentage average buys sells pays price compute calculate
			litres minutes km wieviel viele combien cuánto cuántos quanto quanti rechne doubled`,
			`how many much total sum each time speed hours interest when`},
		query: {.50, 110, code,
			`sql select query postgresql postgres`,
			`table tables join column columns rows schema database index count write`},
		planning: {.48, 260, steps,
			`plan schedule itinerary roadmap agenda organise organize rollout planifica planifie`,
			`week weeks milestones checklist budget shifts days meals packing steps`},
		coding: {.55, 230, code,
			`function implement program script regex algorithm refactor code parser funktion fonction función função`,
			`write class method go golang python javascript typescript rust java kotlin api test tests unit cache`},
		debugging: {.62, 200, code,
			`bug debug fails failing panics panic crash crashes exception traceback deadlock leak hangs race fix`,
			`error wrong why stack trace nil null undefined memory passes what`},
		analysis: {.68, 280, prose,
			`analyse analyze assess evaluate liability patient diagnosis differential contraindicated interaction
			implications jurisdiction`,
			`clause contract statute tenant landlord plaintiff symptoms dose compliance risks risk argument compare
			takes reports court regulatory`},
		reasoning: {.70, 220, steps,
			`prove proof puzzle deduce riddle knights knaves derive sits weighings counterexample beweise démontre
			demuestra follow justify owns coins island conditions`,
			`if then therefore strategy probability minimum guaranteed conditions solutions contradiction must who
			shortest sequence owns explain exactly show`},
	}
}

// scriptCues are matched anywhere: these scripts put no spaces between words.
func scriptCues() map[string]task {
	return map[string]task{
		"翻訳": translation, "翻译": translation, "번역": translation,
		"要約": summary, "总结": summary, "요약": summary,
		"分類": classification, "分类": classification,
		"書き直": rewriting, "改写": rewriting,
		"関数": coding, "函数": coding, "コード": coding, "代码": coding,
		"何": fact, "どこ": fact, "什么": fact, "哪": fact,
		"計算": arithmetic, "计算": arithmetic, "いくつ": arithmetic, "多少": arithmetic,
		"証明": reasoning, "证明": reasoning, "分析": analysis, "計画": planning, "计划": planning,
	}
}

// demands are words that make a prompt harder or easier whatever the task.
func demands() map[float64]string {
	return map[float64]string{
		.10: `prove rigorous concurrent concurrently lock-free distributed amortised asymptotic invariant
			adversarial contraindicated counterexample recursive recursively nested non-trivial jurisdiction
			indemnity fiduciary pharmacokinetic differential simultaneously deadlock transactional idempotent
			window percentile tie-break`,
		.05: `exactly optimal efficient efficiently justify edge cases trade-offs tradeoffs constraint constraints
			without unless except assuming conditional compound interest probability step steps explain why
			compare both must never at-least once rate-limited cache thread-safe statute liability dosage`,
		-.05: `simple simply short briefly brief quick quickly basic easy one-word yes no single just only
			common popular kurz kort einfach simple bref breve`,
	}
}
