package demo

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// filler fills a template's slots. A slot is a name in braces: {city} draws
// from the list of cities; within one prompt the same name keeps its value,
// and {city2} is a second, independent draw. Values may hold slots themselves.
type filler struct {
	random *rand.Rand
	words  map[string][]string
}

func newFiller(random *rand.Rand) filler {
	words := map[string][]string{}
	for name, list := range slotLists() {
		words[name] = strings.Split(strings.ReplaceAll(list, ",\n", ", "), ", ")
	}
	for name, list := range slotSentences() {
		words[name] = list
	}
	return filler{random: random, words: words}
}

// maxDepth bounds slots within slots: a passage holds sentences, which hold
// names.
const maxDepth = 3

func (f filler) fill(template string) string {
	drawn := map[string]string{}
	for range maxDepth {
		filled := f.pass(template, drawn)
		if filled == template {
			break
		}
		template = filled
	}
	return template
}

// pass replaces every known slot once. Braces around anything else, such as
// code and JSON, stay.
func (f filler) pass(template string, drawn map[string]string) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(template, "{")
		b.WriteString(before)
		if !open {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := "", false
		if closed {
			value, known = f.value(name, drawn)
		}
		if known {
			b.WriteString(value)
			template = after
		} else {
			b.WriteByte('{')
			template = rest
		}
	}
}

func (f filler) value(name string, drawn map[string]string) (string, bool) {
	if value, ok := drawn[name]; ok {
		return value, true
	}
	value, ok := f.draw(strings.TrimRight(name, "0123456789"))
	if ok {
		drawn[name] = value
	}
	return value, ok
}

func (f filler) draw(name string) (string, bool) {
	if list, ok := f.words[name]; ok {
		return list[f.random.IntN(len(list))], true
	}
	between := func(low, high int) (string, bool) {
		return strconv.Itoa(low + f.random.IntN(high-low+1)), true
	}
	switch name {
	case "few":
		return between(2, 9)
	case "some":
		return between(11, 90)
	case "many":
		return between(120, 980)
	case "lots":
		return between(1200, 98000)
	case "year":
		return between(1790, 1995)
	case "day":
		return between(1, 28)
	case "hour":
		return between(8, 19)
	case "cents":
		return between(10, 99)
	}
	return "", false
}

// slotLists are short values, separated by commas.
func slotLists() map[string]string {
	return map[string]string{
		"name": `Amina, Bruno, Chiara, Dmitri, Elif, Farid, Greta, Hiro, Ingrid, Jonas, Kavya, Liam, Marta, Nuno, Olga,
Pavel, Quentin, Rosa, Samir, Tove, Umar, Vera, Wanjiru, Xenia, Yusuf, Zoe`,
		"city": `Lisbon, Nairobi, Oslo, Kyoto, Lima, Toronto, Hanoi, Accra, Prague, Seville, Riga, Perth, Quito, Tunis, Bergen,
Kraków, Montevideo, Glasgow, Tbilisi, Halifax, Palermo, Dakar, Zagreb, Osaka`,
		"country": `Portugal, Kenya, Norway, Japan, Peru, Canada, Vietnam, Ghana, Mongolia, Bolivia, Latvia, Australia, Ecuador,
Tunisia, Jordan, Poland, Uruguay, Scotland, Georgia, Chile, Sri Lanka, Senegal, Croatia, Iceland, Nepal, Finland`,
		"language": `French, German, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Japanese, Swahili, Czech, Greek, Hindi`,
		"animal":   `hedgehog, octopus, barn owl, tortoise, red fox, giraffe, mole, salmon, honey bee, sea horse, otter, camel`,
		"element":  `helium, iron, copper, sodium, neon, silver, tungsten, carbon, iodine, zinc, lead, argon, mercury, calcium`,
		"thing": `bicycle pump, desk lamp, coffee grinder, rain jacket, standing desk, garden hose, kettle, pair of headphones,
office chair, tent, water filter, electric toothbrush, backpack, toaster, phone stand, sleeping bag`,
		"goods":   `notebooks, lemons, light bulbs, bricks, tickets, flower pots, batteries, oranges, T-shirts, mugs, candles, cables`,
		"job":     `nurse, baker, electrician, teacher, translator, gardener, architect, pharmacist, librarian, carpenter, welder`,
		"company": `Northwind Dairy, Alder & Sons, Blue Harbour Logistics, Kestrel Optics, Pinecone Insurance, Vela Telecom, Oakfield Press`,
		"team":    `support team, warehouse team, finance team, design team, night shift, field engineers, recruiting team`,
		"month":   `January, February, March, April, May, June, July, August, September, October, November, December`,
		"weekday": `Monday, Tuesday, Wednesday, Thursday, Friday`,
		"topic": `photosynthesis, compound interest, plate tectonics, the water cycle, inflation, vaccination, soil erosion,
public-key encryption, the tides, black holes, composting, supply and demand, sourdough, the printing press`,
		"mood":     `cheerful, melancholy, mysterious, dry, hopeful, slightly absurd, tender, grumpy`,
		"golang":   `Go, Python, TypeScript, Rust, Java, Kotlin`,
		"table":    `orders, invoices, shipments, bookings, payments, subscriptions, tickets`,
		"currency": `euros, dollars, pounds, francs, crowns`,
		"drug":     `warfarin, metformin, lisinopril, amiodarone, lithium, methotrexate, sertraline, digoxin`,
		"symptom": `a persistent dry cough, sudden weight loss, swollen ankles, night sweats, tingling in both feet, morning headaches,
a rash on both shins, shortness of breath on stairs`,
		"river":     `Danube, Nile, Mekong, Rhine, Volga, Loire, Tagus, Zambezi, Vistula, Orinoco`,
		"invention": `telescope, zip fastener, barometer, sewing machine, stethoscope, microscope, steam turbine, dynamo`,
	}
}
