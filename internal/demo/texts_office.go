package demo

func summaryTemplates() []string {
	return []string{
		"Summarise in one sentence: {report}",
		"Summarise the following in {few} bullet points:\n\n{report}\n{report2}\n{office}",
		"What are the takeaways of this thread?\n\n{name}: {office}\n{name2}: {blunt}\n{name}: {office2}",
		"Give me a headline for this: {report}",
		"tl;dr please:\n{office} {office2} {report} {report2}",
		"Summarise this complaint for the {team}, keeping all dates and amounts: {complaint} {complaint2}",
		"Write a summary for the board of {company}: what happened, why, and what is being done.\n\n{report} {report2} {report3}",
		"Recap the reviews below in two sentences, with the most frequent reason for dissatisfaction.\n- {review}\n- {review2}\n- {review3}\n- {review4}",
		"Summarise this clause for someone without legal training, without leaving out any obligation: {clause} {clause2}",
		"Summarise where these two reports contradict each other, and say which figure is the more plausible and why:\n1. {report}\n2. {report2}",
	}
}

func extractionTemplates() []string {
	return []string{
		"Extract name, city and date as JSON: {name} from {city} will visit us on {day} {month}.",
		"Extract the amount and the currency as JSON: The {thing} was {some}.{cents} {currency}, shipping included.",
		`Pull all personal names out of this text as a JSON list: {office} {name} and {name2} agreed, {name3} did not.`,
		"Return JSON with the keys product, problem, days_waiting: {complaint}",
		"List all numbers in this text as JSON, in order: {report}",
		"Extract the order lines as a JSON array of objects with item, quantity and unit price:\n{few} {goods} at {few2}.{cents}\n{some} {goods2} at {few3}.{cents2}\n{many} {goods3} at {few4}.{cents3}",
		"Extract every deadline with the person responsible as JSON. {name} sends the draft by {day} {month}; {name2} has until the {weekday} after; nobody is named for the {thing}.",
		"From this e-mail, extract sender, company, requested action and tone as JSON fields:\n\n{blunt} {office}\nRegards, {name}, {company}",
		"Extract the obligations of each party from the clauses as nested JSON: party, obligation, condition, exception; use null where the text is silent.\n\n{clause}\n{clause2}",
		"Parse this log line into JSON fields: 2024-0{few}-1{few2} {hour}:{some}:02 WARN {table} worker={few3} retry={few4} took={many}ms",
	}
}

func planningTemplates() []string {
	return []string{
		"Plan a weekend in {city} for {few} people.",
		"Make a packing checklist for {few} days in {country} in {month}.",
		"Plan the agenda for a one-hour meeting of the {team} about {topic}.",
		"Plan a {few}-week study schedule for {topic}, {few2} evenings a week, with a test at the end of each week.",
		"Draft a rollout plan for a new {thing} in {few} countries: milestones, owners, risks, and what happens when customs holds the {goods}.",
		"Organise shifts for {few} people over a week so that nobody works more than {few2} days, {name} never works on {weekday}, and every day has at least 2 people.",
		"Plan the move of a {table} database to another region with at most {few} minutes of downtime; name the order of steps, the checks, and the way back at each step.",
		"Plan meals for {few} days under {some} {currency} without nuts, dairy or fish, using up {some2} {goods} first.",
		"Write a roadmap for {company}: {few} engineers, {few2} months, three goals that compete for the same people; justify the order and say what you would drop first.",
	}
}

// slotSentences are longer values; some hold slots themselves.
func slotSentences() map[string][]string {
	return map[string][]string{
		"office": {
			"The {team} moved the delivery of {some} {goods} to {weekday}.",
			"{name} asked {company} for a new offer by {day} {month}.",
			"Please send the invoice for the {thing} to the {team} before {weekday}.",
			"The contract with {company} ends on {day} {month}, and nobody has written to them yet.",
			"Room {many} is booked on {weekday} from {hour} o'clock for {few} visitors from {city}.",
			"{name} is on leave in {month}; {name2} takes over the calls with {company}.",
		},
		"report": {
			"In {month} the {team} handled {lots} calls, {some} per cent more than a year before, because two suppliers were late and {name} was away for {few} weeks.",
			"{company} sold {lots} {goods} in {country}; returns rose from {few} to {few2} per cent after the packaging was changed in {month}.",
			"The outage on {weekday} lasted {some} minutes and touched {many} customers in {city}; a certificate had run out and the reminder went to an address that no longer exists.",
			"Energy use at the {city} site fell by {few} per cent, although output grew: the old compressor ran only {hour} hours a week, and the new {goods} line is not counted yet.",
			"The survey had {many} answers from {few} sites; most people like the new {thing}, but the {team} calls it slow, and {some} per cent did not know that it exists.",
		},
		"complaint": {
			"I ordered a {thing} on {day} {month} and it has still not arrived after {some} days.",
			"The {thing} broke on the second day, and your {team} has not answered my {few} messages.",
			"You charged me {some}.{cents} {currency} twice for the same {thing}; please pay one of them back.",
			"I would like to cancel the order of {some} {goods}, because {company} delivers them sooner.",
			"The courier left the {goods} in the rain in {city}, and {few} of them are ruined.",
		},
		"review": {
			"The {thing} does what it should and the colour is nice.",
			"After {few} weeks the {thing} squeaks, and the handle came off.",
			"Cheap, loud, and it smells; my {animal} is afraid of it.",
			"Best {thing} I have had in {some} years, worth every cent.",
			"It is a {thing}. It arrived on {weekday}. Nothing special.",
			"I wanted to hate it, yet here I am, buying a second {thing} for {name}.",
		},
		"blunt": {
			"You forgot the {goods} again, {name}.",
			"Your report is useless and {few} days late.",
			"Nobody in the {team} reads what I write.",
			"I told you on {weekday} that the {thing} does not work, and you did nothing.",
			"Stop changing the plan {few} times a week.",
		},
		"ticket": {
			"After the update the export of {many} {table} ends with an empty file.",
			"It would be great if the {thing} page could be sorted by price.",
			"How do I change the address of {company} in my account?",
			"The page with my {table} shows the wrong month when I travel to {city}.",
		},
		"clause": {
			"The tenant shall give notice in writing no later than {some} days before the end of the term, failing which the lease is extended by {few} months on the same conditions, unless the rent has been disputed in the meantime.",
			"The supplier is liable for delay beyond {few} working days at {few2} per cent of the order's value per week, up to {some} per cent in all, except where the delay follows from a change that the customer asked for.",
			"Either party may terminate with {some} days' notice if the other is in material breach and has not remedied it within {few} weeks of being told, provided that payment in dispute is held in escrow.",
			"The employee shall not work for a competitor within {many} kilometres of {city} for {few} months; this does not apply where the employer ends the contract without cause.",
		},
		"foreign": {
			"Der Zug nach {city} hat heute {some} Minuten Verspätung.",
			"Nous avons reçu {some} colis de {company} ce matin.",
			"La reunión con {name} empieza a las {hour}.",
			"Il negozio di {city} chiude alle {hour}.",
		},
		"german": {
			"Die Lieferung an {company} verschiebt sich um {few} Wochen, weil {some} Kartons fehlen.",
			"{name} hat am {day}. angerufen und bittet um Rückruf nach {hour} Uhr.",
			"Im Lager {city} wurden {many} Teile gezählt, im System stehen {many2}.",
		},
		"french": {
			"La réunion de {hour} h avec {company} est annulée, car {name} est malade.",
			"Nous avons commandé {many} pièces, mais {some} sont arrivées cassées à {city}.",
			"Le loyer du bureau augmente de {few} % à partir du {day} du mois prochain.",
		},
	}
}
