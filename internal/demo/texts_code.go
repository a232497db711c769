package demo

func codeTemplates() []string {
	return []string{
		"Write a {golang} function that returns the {few} largest of {many} integers.",
		"Write a one-line {golang} expression that reverses a string.",
		"Write a regex that matches dates like {day}.0{few}.{year}.",
		"Implement a small {golang} program that counts the words in a file and prints the {some} most frequent.",
		"Write a {golang} function that validates an order with the fields customer, {goods} and total; return all errors at once, not just the first.",
		"Implement a thread-safe LRU cache in {golang} with a capacity of {many} and an expiry of {some} seconds; explain the edge cases.",
		"Implement a rate-limited HTTP client in {golang}: {some} requests per second, retry with jitter, never retry a POST, cancel when the caller leaves. Include unit tests.",
		"Write a recursive descent parser in {golang} for expressions with + - * / and brackets nested up to {some} levels, with error positions.",
		"Refactor this {golang} code so that it reads each file only once:\n```\nfor name in names {\n  if contains(read(name), \"{name}\") { found = append(found, name) }\n  if size(read(name)) > {lots} { large = append(large, name) }\n}\n```",
		"Design and implement in {golang} an idempotent, distributed job queue on a {table} table: at-least-once delivery, {few} workers, leases of {some} seconds, no lost jobs when a worker crashes.",
		"Write a {golang} script that renames {many} files from IMG_{many2}.jpg to {city}-{many2}.jpg.",
		"Implement an efficient {golang} algorithm for the median of a sliding window of {many} values over {lots} values; state its asymptotic cost and prove the invariant.",
	}
}

func debuggingTemplates() []string {
	return []string{
		"This {golang} code fails with 'index out of range'. Why?\n```\nfor i := 0; i <= len({table}); i++ {\n  total += {table}[i].price\n}\n```",
		"Fix the bug: the average is always a whole number.\n```\ndef average(values):\n    return sum(values) // len(values)\n```\nIt should give {few}.{cents} for my {goods}.",
		"My {golang} service hangs after about {many} requests, and only under load. Here is the suspicious part:\n```\nmu.Lock()\nif cache[key] == nil { cache[key] = load(key) }\nif err != nil { return err }\nmu.Unlock()\n```\nWhat is wrong?",
		"Debug this: the {table} page shows {some} rows in {city} and {some2} in Tokyo for the same day. The query is\n```\nwhere created >= date_trunc('day', now()) and created < now()\n```",
		"Find the race in this code, explain a schedule of two goroutines in which it loses an update, and fix it without a global lock.\n```\nfunc add(n int) { for { old := total.Load(); if old > {lots} { return }; total.Store(old + n); return } }\n```",
		"Stack trace: 'NullPointerException at {table}.java:{many}'. The line is `return customer.address().city();`. What could be null, and how would you fix it?",
		"Memory of the {golang} worker grows by {some} MB an hour. It starts a timer per {table} entry and never stops it; is that the leak? How would you prove it?",
		"Why does this deadlock when both jobs run simultaneously?\n```\njob A: lock {table}; lock customers; update\njob B: lock customers; lock {table}; update\n```\nGive the smallest fix and the one you would ship.",
		"Error: 'connection refused' when {name} starts the {golang} service on port {lots}. What should I check first?",
		"The test passes alone and fails with {some} others in parallel. It uses a global map of {table}. Explain why and fix it.\n```\nvar seen = map[string]bool{}\nfunc mark(id string) bool { if seen[id] { return false }; seen[id] = true; return true }\n```",
	}
}

func sqlTemplates() []string {
	return []string{
		"SQL: count the {table} from {month}.",
		"Write a SQL query that lists the {few} customers with the most {table}.",
		"Write SQL that returns all {table} above {many} {currency}, newest first.",
		"SQL for the share of {table} per weekday in {year}, weekdays without any included.",
		"Write a query that finds duplicate {table} (same customer, same amount, within {some} minutes) and keeps the oldest.",
		"Write a PostgreSQL query with a window function: for each customer the running total of {table} and the rank within {city}, with a tie-break on the id.",
		"Which index makes this query fast, and why?\nselect * from {table} where city = '{city}' and created > now() - interval '{some} days' order by amount desc limit {few};",
		"Design the tables for a shop with {goods}, customers and {table}, with prices that change over time; show the query for the total at the price of the day.",
		"Write SQL for the weekly retention of customers over {few} weeks from a table {table}(customer, created): cohorts as rows, weeks as columns, percentages without division by zero.",
		"Write one transactional SQL statement that moves {many} {currency} between two accounts and must never leave either below zero, even when run concurrently; explain the isolation level.",
	}
}
