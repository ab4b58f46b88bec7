//! The web application, out of the program itself. Every path that is no file is a page of it.

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use guildhall_service::Problem;

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// What is said where no bundle was built.
const UNBUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Guildhall gateway</title>\
<h1>Guildhall gateway</h1><p>The interface is at <a href=\"/api/v1/openapi.json\">/api/v1</a>. The web application was not built into \
this program: run <code>scripts/web.sh build</code> and build again.</p></html>";

/// Nothing but what the bundle has; nodes of the chain that the reader chooses, of other hosts by TLS alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob:; \
    connect-src 'self' https: wss: http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes: everything that is nobody else's.
pub fn routes() -> Router {
    Router::new().fallback(serve)
}

async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let detail = "only the interface under `/api/v1` takes other methods";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "gateway.bad_method", detail).into_response();
    }
    answer(FILES, uri.path(), &headers)
}

/// The file at a path, or the page of the application that it names.
fn answer(files: &[(&'static str, &'static [u8])], path: &str, headers: &HeaderMap) -> Response {
    let name = path.trim_start_matches('/');
    if name.starts_with("api/") {
        return Problem::not_found("gateway.no_such_path", "there is nothing at this path").into_response();
    }
    let of = |name: &str| files.iter().find(|(file, _)| *file == name).copied();
    let last = name.rsplit('/').next().unwrap_or_default();
    let found = of(name).or_else(|| if last.contains('.') { None } else { of("index.html") });
    let (name, bytes) = match found {
        Some(found) => found,
        None if files.is_empty() => ("index.html", UNBUILT.as_bytes()),
        None => return Problem::not_found("gateway.no_such_path", "there is no such file").into_response(),
    };
    let etag = format!("\"{}\"", &blake3::hash(bytes).to_hex()[..32]);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    // The bundler puts a digest into the names of what it makes.
    let keep = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    for (name, value) in [
        (header::CONTENT_TYPE, kind_of(name)),
        (header::CACHE_CONTROL, keep),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &[(&str, &[u8])] = &[("assets/app-1f.js", b"go()"), ("index.html", b"<!doctype html>")];

    fn ask(path: &str) -> Response {
        answer(BUILT, path, &HeaderMap::new())
    }

    #[test]
    fn files_are_served_and_every_other_path_is_a_page() {
        let script = ask("/assets/app-1f.js");
        assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(script.headers()[header::CACHE_CONTROL].to_str().expect("text").contains("immutable"));
        for page in ["/", "/deals/0xab", "/workers"] {
            let page = ask(page);
            assert_eq!(page.status(), StatusCode::OK);
            assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert!(
                !page.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").contains("unsafe")
            );
        }
        for missing in ["/assets/old.js", "/api/v2", "/.env", "/../Cargo.toml"] {
            assert_eq!(ask(missing).status(), StatusCode::NOT_FOUND, "{missing}");
        }
    }

    #[test]
    fn without_a_bundle_the_page_says_how_to_build_it() {
        let page = answer(&[], "/", &HeaderMap::new());
        assert_eq!(page.status(), StatusCode::OK);
    }
}
