package aggregator

import (
	"context"
	"time"
)

// PublishOnce is a turn of Run.
func (p *Publisher) PublishOnce(ctx context.Context, now time.Time) error { return p.publish(ctx, now) }
