package prompt

// Counters is what one pass over a text counts. Everything is counted over
// the whole text, except the word classes, which are looked up only in its
// first and last part (see lexicalHead) so that the work on a long document
// is bounded by a cheap scan.
type Counters struct {
	Bytes      int
	Characters int // Unicode code points
	Lines      int // lines that hold more than white space
	Paragraphs int // blocks of lines between blank ones

	Words       int // runs of letters; two characters count as a word in scripts without spaces
	Letters     int // letters in words
	LongWords   int // words of at least longWord letters
	UpperWords  int // words of two or more letters, all capital: NOT, JSON, HIV
	NonLatin    int // letters of other scripts than Latin
	Unspaced    int // of these, in scripts that write no spaces: Han, kana, Thai, …
	Pictographs int // emoji and other symbols that are no operator
	Blobs       int // unbroken ASCII runs past blobLength: base64, keys, long URLs; not looked into

	Sentences int // ends of sentences, at least 1 when there are words
	Questions int // question marks of any script
	Digits    int
	Numbers   int // runs of digits, with . or , inside
	Operators int // + = < > ^ % × ÷ ≤ …, and - * / next to a number or bracket
	Formulas  int // TeX: backslashes, and $ not before a number
	Currency  int // $ before a number, € £ ¥

	CodeFences int // lines that open or close a ``` block
	CodeLines  int // lines inside fences, and lines that look like code
	ListItems  int // lines starting with a bullet or an ordinal
	Options    int // lines starting with a lone letter A–J and . or ): a multiple choice

	Opening WordClass // classes of the first word

	Looked  int          // words that were looked up
	Classes [classes]int // words of each class of the lexicon, by bit
}

// Of is how many words of a single class were found.
func (c *Counters) Of(class WordClass) int { return c.Classes[class.index()] }
