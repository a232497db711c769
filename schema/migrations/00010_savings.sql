-- +goose Up

-- What a user's requests of a day add up to, where a strategy decided (one that
-- names its model is outside of the comparison). The worker counts days again
-- as rows and verdicts come; completions stay the truth. Requests without a
-- user are added up under the user ''.
CREATE TABLE user_days (
    project             text        NOT NULL,
    day                 date        NOT NULL,
    user_id             text        NOT NULL,
    holdout             boolean     NOT NULL, -- the baseline answered: to compare with
    guarded             boolean     NOT NULL, -- the baseline answered: the guard had tripped
    first_at            timestamptz NOT NULL,

    requests            bigint      NOT NULL,
    cost_nanos          bigint      NOT NULL, -- paid
    origin_cost_nanos   bigint      NOT NULL, -- charged: a hit costs what the call that made its answer did
    baseline_cost_nanos bigint      NOT NULL,
    good                bigint      NOT NULL, -- answered, not cut off or empty, and no verdict calls it bad
    judged              bigint      NOT NULL, -- have verdicts
    quality_sum         float8      NOT NULL, -- of those, each the mean of its verdicts
    latency_us          bigint      NOT NULL,
    unpriced            bigint      NOT NULL,

    -- Of the requests whose plan lists models with their prices: what was
    -- expected of the model planned, of the cheapest, and of the baseline.
    planned             bigint      NOT NULL,
    planned_nanos       bigint      NOT NULL,
    planned_quality     float8      NOT NULL,
    cheapest_nanos      bigint      NOT NULL,
    cheapest_quality    float8      NOT NULL,
    dearest_nanos       bigint      NOT NULL, -- of the baseline
    dearest_quality     float8      NOT NULL,

    -- What is compared: requests from first_at until observed_until, with the
    -- verdicts that came before judged_until. It does not change after that.
    observed_until      timestamptz NOT NULL,
    judged_until        timestamptz NOT NULL,
    observed            bigint      NOT NULL,
    observed_nanos      bigint      NOT NULL, -- charged
    observed_good       bigint      NOT NULL,
    observed_judged     bigint      NOT NULL,
    observed_quality    float8      NOT NULL,
    observed_us         bigint      NOT NULL,

    PRIMARY KEY (project, day, user_id, holdout, guarded)
);

-- Which price tables and baselines a day's costs are by.
CREATE TABLE priced_days (
    project        text   NOT NULL,
    day            date   NOT NULL,
    price_version  text   NOT NULL, -- '' where there was none
    baseline_model text   NOT NULL,
    requests       bigint NOT NULL,
    unpriced       bigint NOT NULL,
    PRIMARY KEY (project, day, price_version, baseline_model)
);

-- Up to when rows are counted in user_days. There is one row.
CREATE TABLE counted (
    one   boolean     PRIMARY KEY DEFAULT true CHECK (one),
    until timestamptz NOT NULL
);

-- What came lately, whatever day it belongs to.
CREATE INDEX completions_by_storage ON completions USING brin (persisted_at);
CREATE INDEX feedback_by_storage ON feedback USING brin (persisted_at);

-- When the guard of a project tripped, and was armed again; the last row says
-- what it is. Without one it is armed.
CREATE TABLE guards (
    n        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project  text        NOT NULL,
    state    text        NOT NULL CHECK (state IN ('tripped', 'armed')),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    evidence jsonb       NOT NULL -- the comparison that decided, or who
);
CREATE INDEX guards_by_project ON guards (project, n DESC);

-- +goose Down
DROP TABLE guards;
DROP INDEX feedback_by_storage;
DROP INDEX completions_by_storage;
DROP TABLE counted;
DROP TABLE priced_days;
DROP TABLE user_days;
