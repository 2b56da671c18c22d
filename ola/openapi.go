package ola

import _ "embed" // for the document

// openAPI is the dialect's part of the OpenAPI document: all routes that are there.
//
//go:embed openapi.json
var openAPI []byte
