//! Answers as HTTP has them: from what is to be said to bytes.
//!
//! Each says how long it is and that the connection ends with it, so that clients of every age
//! understand. What is refused is a sentence of plain text.

use super::head::Refused;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The answer with the metrics, or its head alone.
pub(super) fn metrics(text: &str, is_head: bool) -> Vec<u8> {
    answer("200 OK", OPEN_METRICS, text, is_head)
}

/// The answer that says why there are none.
pub(super) fn refusal(refused: &Refused) -> Vec<u8> {
    let Refused { status, text, is_head } = refused;
    answer(status, PLAIN_TEXT, &format!("{text}\n"), *is_head)
}

fn answer(status: &str, content_type: &str, body: &str, is_head: bool) -> Vec<u8> {
    // Every answer may say what is allowed here; to a 405 it has to (RFC 9110, section 15.5.6).
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Allow: GET, HEAD\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if !is_head {
        bytes.push_str(body);
    }
    bytes.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::head::BAD_REQUEST;
    use super::*;

    #[test]
    fn an_answer_is_a_head_and_a_body_of_the_length_it_says() {
        let whole = String::from_utf8(metrics("ä\n", false)).unwrap();
        let head = String::from_utf8(metrics("ä\n", true)).unwrap();
        assert!(whole.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text"));
        assert!(whole.contains("\r\nContent-Length: 3\r\n"), "{whole}");
        assert_eq!(whole, format!("{head}ä\n"));
        assert!(head.ends_with("\r\n\r\n"));
        let refused = refusal(&Refused::new(BAD_REQUEST, "Do it so."));
        let refused = String::from_utf8(refused).unwrap();
        assert!(refused.starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain"));
        assert!(refused.ends_with("\r\n\r\nDo it so.\n"), "{refused}");
    }
}
