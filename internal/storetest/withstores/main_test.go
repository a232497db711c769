package main

import "testing"

// The tests are not parallel: signals are the process's own.

func TestCommandSeesTheStoresAndItsCodeIsKept(t *testing.T) {
	code, err := run(t.Context(), []string{"sh", "-c", `case "$TEST_DATABASE_URL $TEST_REDIS_URL" in postgres://*" "redis://*) exit 7;; esac`})
	if code != 7 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	code, err := run(t.Context(), []string{"sh", "-c", `trap 'exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.01; done`})
	if code != 9 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestCommandEndedByASignal(t *testing.T) {
	code, err := run(t.Context(), []string{"sh", "-c", `kill -KILL $$`})
	if code != 137 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestCommandThatDoesNotExist(t *testing.T) {
	if code, err := run(t.Context(), []string{"/no/such/command"}); code != 1 || err == nil {
		t.Errorf("code %d, %v", code, err)
	}
}
