package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/busuhq/busu/internal/demo"
	"github.com/busuhq/busu/internal/figure"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/replay"
)

type evalPlotCommand struct {
	Data    []string `required:"" sep:"none" help:"Recorded outcomes to score on, JSON lines. Repeat it for more files." placeholder:"FILE"`
	Train   []string `sep:"none" help:"Recorded outcomes to learn from. Repeat it for more files." placeholder:"FILE" xor:"train"`
	Folds   int      `help:"Learn from the other folds of the data instead." placeholder:"N" xor:"train"`
	Logging string   `default:"uniform" enum:"uniform,own" help:"Who chooses while learning: a coin (uniform), or the strategy (own)."`
	Seeds   int      `default:"5" help:"Lines are means over so many seeds, from 0 on."`
	Out     string   `required:"" help:"Where to write the drawing." placeholder:"FILE.svg"`
}

func (evalPlotCommand) Help() string {
	return `Draws what every strategy scores at what it costs, beside the random mix of the cheapest
and the strongest model and an oracle that knows every outcome, as an SVG for light and
dark pages. Recorded outcomes and learning are as of busu eval routing.

Example:

  busu eval plot --data mmlu.jsonl --data gsm8k.jsonl --folds 5 --out docs/routing.svg`
}

// Validate implements kong.Validatable: what it refuses is bad usage.
func (c evalPlotCommand) Validate() error {
	if c.Seeds < 1 {
		return errors.New("seeds must be 1 or more")
	}
	if len(c.Train) == 0 && c.Folds < 2 {
		return errors.New("strategies that learn are drawn: name --train files, or --folds 5")
	}
	return nil
}

func (c evalPlotCommand) Run(ctx context.Context) error {
	prior, err := learning.Shipped()
	if err != nil {
		return err
	}
	data, err := readRows(c.Data)
	if err != nil {
		return err
	}
	train, err := readRows(c.Train)
	if err != nil {
		return err
	}
	var drawn tradeoffs
	progress := demo.NewProgress(os.Stderr, demo.IsTerminal(os.Stderr), time.Now)
	const learners = 2 // only those take their time
	learned := 0
	for _, s := range drawnStrategies() {
		o := replay.Options{Strategy: s.strategy, Feedback: replay.Bandit, Logging: c.Logging, StrongShare: 0.35, Rate: 1,
			Folds: c.Folds, Shipped: prior, Progress: func(done, total int) { progress.Update(learned*total+done, learners*total) }}
		t, err := replay.EvaluateTradeoff(ctx, data, train, o, c.Seeds)
		if err != nil {
			progress.Close()
			return err
		}
		drawn = append(drawn, t)
		if o.Learns() {
			learned++
		}
	}
	progress.Close()
	if err := replaceFile(c.Out, drawn.figure().SVG()); err != nil {
		return err
	}
	fmt.Println(c.Out)
	return nil
}

// drawnStrategy is a line of the drawing.
type drawnStrategy struct {
	strategy, name string
	style          figure.Style
}

func drawnStrategies() []drawnStrategy {
	return []drawnStrategy{
		{replay.Complexity, "complexity", figure.Blue},
		{replay.Prior, "shipped prior", figure.Orange},
		{replay.Learning, "learning", figure.Pink},
		{replay.Hybrid, "hybrid", figure.Green},
	}
}

// tradeoffs are those of drawnStrategies, in their order.
type tradeoffs []replay.Tradeoff

func (t tradeoffs) figure() figure.Figure {
	first := t[0]
	ends := []replay.Point{first.Oracle[0], first.Oracle[len(first.Oracle)-1]}
	main := figure.Panel{
		Title: "Quality at what a request costs",
		X:     figure.Axis{Title: "US dollars per 1,000 requests", Format: "%.2f", Scale: 1000},
		Y:     figure.Axis{Title: "mean quality", Format: "%.2f"},
		Lines: []figure.Line{{Name: "oracle", Style: figure.Dotted, Points: costQuality(first.Oracle)}},
		Marks: []figure.Mark{{Name: "always " + first.Weak, At: onPanel(ends[0])}, {Name: "always " + first.Strong, At: onPanel(ends[1]), Above: true}},
	}
	gain := figure.Panel{
		Title: "Quality above the random mix at equal cost",
		X:     main.X,
		Y:     figure.Axis{Title: "points of 100", Format: "%+.0f", Scale: 100},
		Lines: []figure.Line{{Name: "random mix", Style: figure.Dashed, Points: aboveMix(ends, ends)}},
	}
	for i, s := range drawnStrategies() {
		main.Lines = append(main.Lines, figure.Line{Name: s.name, Style: s.style, Points: costQuality(t[i].Strategy)})
		gain.Lines = append(gain.Lines, figure.Line{Name: s.name, Style: s.style, Points: aboveMix(t[i].Strategy, ends)})
	}
	main.Lines = append(main.Lines, figure.Line{Name: "random mix", Style: figure.Dashed, Points: costQuality(ends)})
	return figure.Figure{
		Title: "Cost and quality of the routing strategies",
		Description: "Mean quality over mean cost as the share of calls to the strong model grows from none to all, for each strategy, " +
			"the random mix of both models and an oracle; below, by how much each strategy is above the mix at equal cost.",
		Panels: []figure.Panel{main, gain},
	}
}

func onPanel(p replay.Point) figure.Point { return figure.Point{X: p.Cost, Y: p.Quality} }

func costQuality(points []replay.Point) []figure.Point {
	drawn := make([]figure.Point, len(points))
	for i, p := range points {
		drawn[i] = onPanel(p)
	}
	return drawn
}

// aboveMix takes off each quality what the mix of both ends scores at its cost.
func aboveMix(points, ends []replay.Point) []figure.Point {
	drawn := costQuality(points)
	for i := range drawn {
		share := (drawn[i].X - ends[0].Cost) / (ends[1].Cost - ends[0].Cost)
		drawn[i].Y -= ends[0].Quality + share*(ends[1].Quality-ends[0].Quality)
	}
	return drawn
}
