// Package soak has busu answer for hours, and says what grows meanwhile.
package soak
