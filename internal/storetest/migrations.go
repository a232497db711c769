package storetest

import (
	"io/fs"

	"github.com/busuhq/busu/schema"
)

// migrations are the goose files that make busu's schema.
func migrations() (fs.FS, error) {
	return fs.Sub(schema.Migrations, "migrations")
}
