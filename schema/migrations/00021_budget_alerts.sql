-- +goose Up

-- What of budgets was found spent, in percent. A budget with another limit is
-- another budget. Rows go in with the webhook that tells of them.
CREATE TABLE budget_alerts (
    scope       text        NOT NULL CHECK (scope IN ('key', 'project')),
    name        text        NOT NULL, -- of the key or the project
    period      text        NOT NULL CHECK (period IN ('day', 'month')),
    began       timestamptz NOT NULL, -- the period
    limit_nanos bigint      NOT NULL,
    threshold   integer     NOT NULL,
    spent_nanos bigint      NOT NULL, -- when that was found
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, name, period, began, limit_nanos, threshold)
);
CREATE INDEX budget_alerts_by_period ON budget_alerts (began);

-- Budgets that have refused a request, with nothing of them held for others.
CREATE TABLE budget_refusals (
    scope       text        NOT NULL CHECK (scope IN ('key', 'project')),
    name        text        NOT NULL,
    period      text        NOT NULL CHECK (period IN ('day', 'month')),
    began       timestamptz NOT NULL,
    limit_nanos bigint      NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(), -- the first
    PRIMARY KEY (scope, name, period, began, limit_nanos)
);
CREATE INDEX budget_refusals_by_period ON budget_refusals (began);

-- +goose Down
DROP TABLE budget_refusals;
DROP TABLE budget_alerts;
