//! Two gRPC statuses in Milvus's words: a request that is too large, and a call nobody knows. Clients and their tests
//! look for these texts.

use axum::http::{HeaderMap, HeaderValue, Response, Uri};

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
const OUT_OF_RANGE: &[u8] = b"11";
const RESOURCE_EXHAUSTED: &str = "8";
const UNIMPLEMENTED: &[u8] = b"12";

/// Rewrites the status of `reply` where Milvus says it differently. Costs one look at the headers otherwise.
pub(crate) fn dress<B>(mut reply: Response<B>, path: &Uri) -> Response<B> {
    let headers = reply.headers_mut();
    match headers.get(STATUS).map(HeaderValue::as_bytes) {
        Some(OUT_OF_RANGE) => too_large(headers),
        Some(UNIMPLEMENTED) if !headers.contains_key(MESSAGE) => unknown(headers, path),
        _ => {}
    }
    reply
}

/// "Error, decoded message length too large: found N bytes, the limit is: M bytes", as tonic says it.
fn too_large(headers: &mut HeaderMap) {
    let numbers: Vec<u64> = headers
        .get(MESSAGE)
        .and_then(|text| text.to_str().ok())
        // Spaces travel as %20, which must not read as a number.
        .map(|text| text.replace("%20", " "))
        .filter(|text| text.contains("decoded message length too large"))
        .map(|text| text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect())
        .unwrap_or_default();
    if let [found, limit] = numbers[..] {
        headers.insert(STATUS, HeaderValue::from_static(RESOURCE_EXHAUSTED));
        say(headers, &format!("grpc: received message larger than max ({found} vs. {limit})"));
    }
}

fn unknown(headers: &mut HeaderMap, path: &Uri) {
    let mut parts = path.path().split('/').skip(1);
    let (service, method) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    say(headers, &format!("unknown method {method} for service {service}"));
}

fn say(headers: &mut HeaderMap, message: &str) {
    if let Ok(value) = HeaderValue::from_str(message) {
        headers.insert(MESSAGE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(status: &str, message: Option<&str>) -> (String, String) {
        let mut reply = Response::new(());
        reply.headers_mut().insert(STATUS, HeaderValue::from_str(status).unwrap());
        if let Some(message) = message {
            reply.headers_mut().insert(MESSAGE, HeaderValue::from_str(message).unwrap());
        }
        let reply = dress(reply, &Uri::from_static("/milvus.proto.milvus.MilvusService/Nope"));
        let text = |name| {
            reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        (text(STATUS), text(MESSAGE))
    }

    #[test]
    fn in_milvus_words() {
        let tonic = "Error,%20decoded%20message%20length%20too%20large:%20found%2070000000%20bytes,%20the%20limit%20is:%2067108864%20bytes";
        assert_eq!(
            dressed("11", Some(tonic)),
            ("8".into(), "grpc: received message larger than max (70000000 vs. 67108864)".into())
        );
        assert_eq!(
            dressed("12", None),
            ("12".into(), "unknown method Nope for service milvus.proto.milvus.MilvusService".into())
        );
        assert_eq!(dressed("11", Some("other")), ("11".into(), "other".into()));
        assert_eq!(dressed("13", Some("x")), ("13".into(), "x".into()));
    }
}
