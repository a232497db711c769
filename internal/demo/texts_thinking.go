package demo

func arithmeticTemplates() []string {
	return []string{
		"{name} buys {some} {goods} at {few} {currency} each. How much does that cost?",
		"{name} has {many} {goods} and gives away {some}. How many are left?",
		"A train leaves at {hour}:{some} and takes {many} minutes. When does it arrive?",
		"What is {few} per cent of {lots}?",
		"A box holds {some} {goods}. How many boxes are needed for {lots} {goods}, and how many places stay empty in the last one?",
		"{name} runs {few} km in {some} minutes. How many minutes are {some2} km at the same speed?",
		"{name}, {name2} and {name3} share a bill of {many}.{cents} {currency}; {name} pays twice what {name2} pays, and {name3} pays {few} less than {name}. How much does each pay?",
		"A tank of {many} litres loses {few} per cent a day and is refilled with {some} litres every evening. How many litres are in it after {few2} days?",
		"{lots} {currency} earn {few} per cent compound interest a year. After how many years is the sum doubled, if {many} are withdrawn at the end of each year?",
		"A shop buys {many} {goods} for {lots} {currency}, loses {few} per cent of them, and sells the rest at a margin of {some} per cent. What is the price of one?",
		"The average age of {few} people is {some}. One of {some2} joins. What is the average now?",
	}
}

func reasoningTemplates() []string {
	return []string{
		"{name}, {name2} and {name3} each own a {animal}, a camel or a goose. {name} is allergic to feathers, and {name2} has no goose. Who owns what?",
		"If all {goods} in the box are red and some red things are heavy, does it follow that some {goods} are heavy? Explain why.",
		"Five people sit in a row. {name} sits left of {name2}, {name3} is not at an end, a {job} sits in the middle, and the {job2} sits next to {name}. Who sits where? Give all solutions.",
		"On an island of knights and knaves, {name} says: 'If {name2} is a knave, then so am I.' {name2} says: 'Exactly one of us lies.' What are they? Prove it.",
		"You have {some} coins, one of them lighter or heavier. What is the minimum number of weighings that is guaranteed to find it and to say which? Derive a strategy.",
		"Prove that among any {few} integers there are two whose difference is divisible by one less than their number, or give a counterexample.",
		"A {job}, a {job2} and {name} must cross a river in a boat for two; the {animal} must never be alone with the {goods}. Find the shortest sequence of steps and show that no shorter one exists.",
		"A test for a rare illness is right {some} times in 100 when one is ill, and wrong {few} times in 100 when not; one person in {lots} is ill. {name}'s test is positive. Derive the probability that {name} is ill, then explain why most people guess too high.",
		"Two trains, {many} km apart, run towards each other at {some} and {some2} km/h; a bird flies between them at {many2} km/h but rests {few} minutes at each turn. How far does it fly? Show each step and justify the limit.",
		"A town has {few} bridges between {few2} islands. Under which conditions is there a walk that crosses each exactly once, and what is the minimum number of bridges to add otherwise? Prove both directions.",
	}
}

func analysisTemplates() []string {
	return []string{
		"Assess the risk of this clause for the weaker party, and propose one change: {clause}",
		"A tenant in {city} withheld {few} months' rent because of mould; the lease says: \"{clause}\" Analyse the position of both sides.",
		"Analyse whether the two clauses contradict each other, and what a court would probably make of it.\n\n1. {clause}\n2. {clause2}",
		"A {some}-year-old {job} takes {drug} and {drug2} and reports {symptom} for {few} weeks. Which interaction or differential diagnosis should be considered, and what must not be missed?",
		"A patient on {drug} has {symptom} and {symptom2}. List the differential diagnosis by likelihood, with the one test that separates them best.",
		"Assess the compliance of {company} with data protection rules: it keeps {lots} call recordings for {some} months, trains a model on them, and told customers only that calls are recorded.",
		"Compare the implications of a liability cap at {some} per cent and an indemnity without a cap for a supplier of {goods}; assume delay, recall and insolvency in turn.",
		"Evaluate the argument: '{company} cut prices by {few} per cent, sales rose by {some} per cent, so customers are price-sensitive.' What else could explain it, and which data would decide?",
		"Analyse the report below for a board that must decide tomorrow: causes, weak points in the evidence, and the decision you recommend with its risks.\n\n{report}\n{report2}",
		"A plaintiff in {city} claims {lots} {currency} because the {thing} injured a child of {few}; the manual warned on page {some}. Analyse liability, contributory fault and the limitation period, without assuming a jurisdiction.",
	}
}
