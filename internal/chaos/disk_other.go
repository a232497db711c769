//go:build !linux

package chaos

import "errors"

func mountSmall(string, int) error { return errors.New("small disks need Linux") }

func unmount(string) error { return nil }
