// Shows the document beside this page. Nothing is asked of any other server: no validator, no fonts, no query parameters
// that would name another document.
window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#viewer",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: false,
    queryConfigEnabled: false,
    validatorUrl: null,
});
