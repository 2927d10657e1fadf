//! A window that is operated from outside, through WebKitWebDriver.
//!
//! Only what the demo needs of the protocol, over plain HTTP on loopback. Source: W3C WebDriver, "Endpoints".

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Group, Outcome, until};

/// A page that is busy for longer than this has a fault worth seeing.
const PATIENCE: Duration = Duration::from_secs(120);
/// The key under which an element's id comes. Source: W3C WebDriver, "Elements".
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open window. Dropping it ends the driver and the program it opened.
#[derive(Debug)]
pub(crate) struct Driver {
    port: u16,
    session: String,
    _driver: Group,
}

impl Driver {
    /// Opens `program` under the driver; `driver` is the prepared `WebKitWebDriver` command, whose environment the
    /// program gets.
    pub(crate) fn open(driver: &mut Command, program: &str) -> Outcome<Self> {
        let port = free_port()?;
        driver
            .args([format!("--port={port}"), "--host=127.0.0.1".to_owned()])
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let group = Group::start("WebKitWebDriver", driver.stdout(Stdio::null()))?;
        until("WebKitWebDriver", PATIENCE, || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        })?;
        let browser = json!({ "webkitgtk:browserOptions": { "binary": program, "args": [] } });
        let wish = json!({ "capabilities": { "alwaysMatch": browser } });
        let opened = exchange(port, "POST", "/session", &wish)?;
        let session = opened
            .get("sessionId")
            .and_then(Value::as_str)
            .ok_or("the window did not open")?
            .to_owned();
        Ok(Self {
            port,
            session,
            _driver: group,
        })
    }

    /// Waits for an element, by CSS selector, and returns its id.
    pub(crate) fn wait_for(&self, selector: &str) -> Outcome<String> {
        until(&format!("the window's {selector}"), PATIENCE, || {
            let found = self
                .ask(
                    "POST",
                    "/element",
                    &json!({ "using": "css selector", "value": selector }),
                )
                .ok()?;
            Some(found.get(ELEMENT)?.as_str()?.to_owned())
        })
    }

    /// How many elements there are now. Errors: the driver does not answer.
    pub(crate) fn count(&self, selector: &str) -> Outcome<usize> {
        let wish = json!({ "using": "css selector", "value": selector });
        let found = self.ask("POST", "/elements", &wish)?;
        Ok(found.as_array().map_or(0, Vec::len))
    }

    pub(crate) fn type_into(&self, selector: &str, text: &str) -> Outcome<()> {
        let element = self.wait_for(selector)?;
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": text }))
            .map(drop)
    }

    /// Clicks an element once it is there and can be clicked.
    pub(crate) fn click(&self, selector: &str) -> Outcome<()> {
        until(&format!("a click on {selector}"), PATIENCE, || {
            let element = self.wait_for(&format!("{selector}:not([disabled])")).ok()?;
            self.ask("POST", &format!("/element/{element}/click"), &json!({})).ok()
        })
        .map(drop)
    }

    /// Waits until an element's text satisfies `wanted`, and returns the text.
    pub(crate) fn wait_for_text(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> Outcome<String> {
        until(&format!("the text of {selector}"), PATIENCE, || {
            let element = self.wait_for(selector).ok()?;
            let said = self
                .ask("GET", &format!("/element/{element}/text"), &Value::Null)
                .ok()?;
            let text = said.as_str()?.to_owned();
            wanted(&text).then_some(text)
        })
    }

    /// Returns when the page has been painted: a picture taken earlier may show an older frame.
    pub(crate) fn settle(&self) -> Outcome<()> {
        let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))";
        self.ask("POST", "/execute/async", &json!({ "script": script, "args": [] }))
            .map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Outcome<Value> {
        exchange(self.port, method, &format!("/session/{}{path}", self.session), body)
    }
}

fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}").into())
}

/// One request on a connection of its own; returns what the answer calls `value`.
fn exchange(port: u16, method: &str, path: &str, body: &Value) -> Outcome<Value> {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let mut answer = String::new();
    let exchanged = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    exchanged.map_err(|error| format!("WebKitWebDriver did not answer {method} {path}: {error}"))?;
    read_answer(&answer).map_err(|problem| format!("{method} {path}: {problem}").into())
}

fn read_answer(answer: &str) -> Result<Value, String> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("an answer without an end of its head")?;
    let mut body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let value = body.get_mut("value").map(Value::take).unwrap_or_default();
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(value),
        _ => Err(value
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or("refused")
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_value_or_its_message() {
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"value\":\"hi\"}";
        assert_eq!(read_answer(good).unwrap(), "hi");
        let bad = "HTTP/1.1 404 Not Found\r\n\r\n{\"value\":{\"error\":\"no such element\",\"message\":\"none\"}}";
        assert_eq!(read_answer(bad).unwrap_err(), "none");
        assert!(read_answer("cut off").is_err());
    }
}
