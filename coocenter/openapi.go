package coocenter

import _ "embed" // for the document

// openAPI is the dialect's part of the OpenAPI document: all its routes, and the events that it pushes as webhooks.
//
//go:embed openapi.json
var openAPI []byte
