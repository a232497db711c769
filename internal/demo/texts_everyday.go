package demo

func factTemplates() []string {
	return []string{
		"What is the capital of {country}?",
		"Which currency is used in {country}?",
		"How long is the river {river}?",
		"Into which sea does the {river} flow?",
		"Who invented the {invention}?",
		"What is the chemical symbol for {element}?",
		"At what temperature does {element} melt?",
		"What does a {animal} eat?",
		"How long does a {animal} usually live?",
		"Which languages are spoken in {country}?",
		"What time zone is {city} in?",
		"What does a {job} do all day?",
		"Who was the head of state of {country} in {year}?",
		"What is {topic}? One sentence, please.",
		"When was the {invention} first used?",
		"Is a {animal} a mammal? Just yes or no.",
	}
}

func translationTemplates() []string {
	return []string{
		"Translate into {language}: The meeting on {weekday} starts at {hour} o'clock.",
		`Translate to {language}: "Where can I buy a {thing} near the station?"`,
		"How do you say 'good morning, my name is {name}' in {language}?",
		"Please translate this sentence into {language}: {office}",
		"Translate the following into {language} and keep the line breaks:\n{office}\n{office2}",
		"Give me the {language} word for '{animal}'.",
		"Translate this sign into {language}: Closed on {weekday}s from {hour} to 20 o'clock.",
		"Translate into polite {language}, as one would write to a customer:\n\n{complaint}",
		"Translate the menu line 'grilled fish with lemon, {few} pieces' into {language}.",
		"Translate this clause into {language}, keeping the legal meaning exactly and without simplifying it: {clause}",
	}
}

func rewritingTemplates() []string {
	return []string{
		"Rewrite this more politely: {blunt}",
		"Rephrase in plain words for a {job}: {clause}",
		"Make this shorter, at most {some} words:\n\n{office} {office2} {office3}",
		"Correct the grammar: me and {name} was going to {city} yesterday for buy {few} {goods}.",
		"Rewrite in a friendlier tone: {blunt} {office}",
		"Turn these notes into one clear sentence: {company}, {weekday}, {goods}, late, sorry, new date {day} {month}.",
		"Proofread: the {team} have send there report on {weekday}, but nobody red it untill {month}.",
		"Rewrite as a formal e-mail to {company}: hey, the {thing} we got is broken, send a new one by {weekday}.",
		"Reword this so that it does not sound like an accusation: {blunt}",
		"Rewrite the paragraph below in British English, in the active voice, without changing any figure:\n\n{report}",
	}
}

func classificationTemplates() []string {
	return []string{
		"Classify the sentiment as positive, negative or neutral: {review}",
		"Is this message urgent? Answer yes or no. \"{complaint}\"",
		"Which category fits: billing, delivery, product, other?\n\n{complaint}",
		"Label the language of this text: {foreign}",
		"Spam or not spam? 'Dear friend, you have won {lots} {currency}, answer {name} today.'",
		"Tag this ticket with exactly one of bug, question, feature request: {ticket}",
		"Classify by department (sales, finance, legal, IT): {office}",
		"Sentiment of this review, one word: {review} {review2}",
		"Sort these into fruit, tool or animal: {animal}, lemon, hammer, {animal2}, pear.",
		"Classify the intent (cancel, change, complain, praise) and give the single most telling word: {complaint}",
		"Does the following clause favour the tenant, the landlord or neither? Answer with one word.\n{clause}",
	}
}

func creativeTemplates() []string {
	return []string{
		"Write a {mood} poem of {few} lines about a {animal}.",
		"Write a haiku about {city} in {month}.",
		"A short bedtime story about a {animal} who wants to become a {job}.",
		"Invent three slogans for a {thing} made in {country}.",
		"Write a birthday toast for {name}, a {job} from {city}, in a {mood} tone.",
		"Write a limerick about a {job} from {city}.",
		"Write the opening scene of a {mood} detective story set in {city} in {year}.",
		"Write a dialogue between a {animal} and a {animal2} about {topic}.",
		"Write a sonnet about {topic} in iambic pentameter; the first letters of the lines must spell a word.",
		"Tell the story of the broken {thing} twice: once as {name} saw it, once as {name2} did, so that both are right.",
	}
}

func languagesTemplates() []string {
	return []string{
		"Was ist die Hauptstadt von {country}?",
		"Wie viele {goods} bekomme ich für {some} Euro, wenn eines {few} Euro kostet?",
		"Bitte formuliere höflicher: Schickt mir endlich die Rechnung vom {day}. {month}!",
		"Fasse in zwei Sätzen zusammen: {german} {german2} {german3}",
		"Quelle est la capitale du pays dont la plus grande ville est {city} ?",
		"Traduis en anglais : Le colis de {name} arrivera {few} jours plus tard que prévu.",
		"Résume ce message en une phrase : {french} {french2}",
		"Démontre que la somme de {few} entiers impairs consécutifs, multipliée par {some}, est divisible par {few}, ou donne un contre-exemple.",
		"¿Cuál es la moneda de {country}?",
		"Clasifica el sentimiento como positivo, negativo o neutro: El hotel de {city} era limpio, pero esperamos {some} minutos.",
		"Escribe una función en {golang} que ordene {many} pedidos por fecha y devuelva los {few} más recientes.",
		"Traduci in inglese: Il treno per {city} parte alle {hour} dal binario {few}.",
		"Escreve um poema de {few} versos sobre {city} em {month}.",
		"{city}はどこの国にありますか。",
		"次の文を英語に翻訳してください。会議は{hour}時に始まり、{few}人が参加します。",
		"请把下面的句子翻译成英文：我们在{city}等了{some}分钟。",
		"请写一个{golang}函数，计算一个列表中出现次数最多的{few}个词。",
		"Streść w jednym zdaniu: {name} kupiła {some} książek w {city}, ale {few} z nich zgubiła w pociągu.",
		"Vertaal naar het Engels: De vergadering met {name} is verplaatst naar {hour} uur.",
		"{company} müşterisi {name} için kısa ve nazik bir özür mesajı yaz.",
	}
}
