package prompt

// EstimateTokens guesses how many tokens a model's tokenizer makes of text:
// one per four characters of Latin text and per two of other alphabets, one
// per character of Han, kana and the like, rounded up. Byte-pair tokenizers
// of today's models differ from it by some 20 % on prose, by more on code and
// digits; what was billed always comes from the provider's own count.
func EstimateTokens(text string) int64 {
	var quarters int64
	for _, r := range text {
		quarters += tokenQuarters(r)
	}
	return (quarters + 3) / 4
}

// tokenQuarters is a character's share of a token, in quarters.
func tokenQuarters(r rune) int64 {
	switch {
	case r < 0x250: // ASCII and Latin with accents
		return 1
	case r < 0x0E00: // Greek, Cyrillic, Hebrew, Arabic, Indic
		return 2
	default:
		return 4
	}
}
