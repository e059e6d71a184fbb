package filltest

import "testing"

func TestX(t *testing.T) {
	File(t, Records(100_000))
}
