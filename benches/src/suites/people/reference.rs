//! What there is without Kith: a message over a bare QUIC stream, and a sync of the disk.
//!
//! Both ends of the stream are quinn with the daemons' own TLS (bare keys, no certificates), each
//! in a thread of its own as the daemons' are. A message has its length before it and nothing else.

use super::PAYLOAD_BYTES;
use crate::suites::latency::fields;
use anyhow::{Context, anyhow};
use kith_service_quic::key::TlsKey;
use kith_service_quic::tls::{SERVER_NAME, client, server};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread::spawn;
use std::time::Instant;

const ROUNDS: usize = 2_000;
const WARM_UP_ROUNDS: usize = 200;
const SYNCS: usize = 100;
/// What one commit of a message or two writes.
const SYNC_BYTES: usize = 4096;

/// Half a round trip between two threads.
pub(super) fn one_way() -> anyhow::Result<Value> {
    let (sender, address) = sync_channel(1);
    let answering = spawn(move || -> anyhow::Result<()> {
        runtime()?.block_on(async {
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let endpoint = Endpoint::server(server(&key(1)?)?, at)?;
            sender.send(endpoint.local_addr()?)?;
            let connection = endpoint.accept().await.context("nobody came")?.await?;
            echo(&connection).await
        })
    });
    let times = runtime()?.block_on(async {
        let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        endpoint.set_default_client_config(client(&key(2)?, None)?);
        let connection = endpoint.connect(address.recv()?, SERVER_NAME)?.await?;
        let times = measure(&connection).await;
        connection.close(0_u32.into(), b"");
        // Else the other end would wait until it believes that we are gone.
        endpoint.wait_idle().await;
        times
    })?;
    // It has ended with the connection, by an error that says so.
    let _ = answering.join();
    Ok(fields(times, 0.0))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn key(seed: u8) -> anyhow::Result<TlsKey> {
    Ok(TlsKey::from_seed([seed; 32])?)
}

async fn echo(connection: &Connection) -> anyhow::Result<()> {
    let mut reading = connection.accept_uni().await?;
    let mut writing = connection.open_uni().await?;
    loop {
        let message = take(&mut reading).await?;
        put(&mut writing, &message).await?;
    }
}

async fn measure(connection: &Connection) -> anyhow::Result<Vec<u64>> {
    let mut writing = connection.open_uni().await?;
    let message = vec![b'a'; PAYLOAD_BYTES];
    put(&mut writing, &message).await?;
    let mut reading = connection.accept_uni().await?;
    take(&mut reading).await?;
    let mut times = Vec::new();
    for _ in 0..WARM_UP_ROUNDS + ROUNDS {
        let began = Instant::now();
        put(&mut writing, &message).await?;
        take(&mut reading).await?;
        times.push(began.elapsed().as_nanos() as u64 / 2);
    }
    Ok(times.split_off(WARM_UP_ROUNDS))
}

async fn put(stream: &mut SendStream, message: &[u8]) -> anyhow::Result<()> {
    let bytes = [&(message.len() as u32).to_be_bytes()[..], message].concat();
    Ok(stream.write_all(&bytes).await?)
}

async fn take(stream: &mut RecvStream) -> anyhow::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.map_err(|error| anyhow!("{error}"))?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).await.map_err(|error| anyhow!("{error}"))?;
    Ok(message)
}

/// Appends of one page, each synced.
pub(super) fn sync(directory: &Path) -> anyhow::Result<Value> {
    let mut file = File::create(directory.join("synced"))?;
    let page = [7; SYNC_BYTES];
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(began.elapsed().as_nanos() as u64);
    }
    let mut found = fields(times, 0.0);
    found["bytes"] = json!(SYNC_BYTES);
    Ok(found)
}
