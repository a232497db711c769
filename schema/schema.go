// Package schema holds what is agreed with the world outside: the migrations
// of the database, the JSON Schema of the events and the description of the
// HTTP interface.
package schema

import "embed"

// Migrations are goose migrations in the folder migrations.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Events are JSON Schemas, named <type>.v<version>.json, in the folder events.
//
//go:embed events/*.json
var Events embed.FS

// OpenAPI describes the HTTP interface, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
