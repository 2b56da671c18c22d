"use strict";

// Nothing leaves the browser but to this daemon: no validator, no other host (the page's policy forbids it too).
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  requestSnippetsEnabled: true,
  showExtensions: true,
  validatorUrl: null,
});
