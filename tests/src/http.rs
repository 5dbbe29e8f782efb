//! Pages of health and metrics.

use anyhow::{ensure, Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{within, SOON};

/// The body of `http://address/path`. Any status but 200 is an error.
pub async fn get(address: &str, path: &str) -> Result<String> {
    let fetch = async {
        let mut stream = TcpStream::connect(address).await?;
        // The old version of HTTP knows no chunks: the body is what follows until the end.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "http://{address}{path} answers {answer}");
        anyhow::Ok(body.to_owned())
    };
    within(SOON, format!("http://{address}{path}"), fetch).await?
}

/// The value of a metric whose name and labels contain all of `parts`, in Prometheus' text format; nothing if there is
/// no such line.
pub fn metric(page: &str, parts: &[&str]) -> Option<f64> {
    let line = page.lines().find(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)))?;
    line.rsplit(' ').next()?.parse().ok()
}
