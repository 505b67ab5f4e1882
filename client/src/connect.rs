//! Setting up a connection.
//!
//! The first connection is tried once and fails with a reason: a program that starts wants to know
//! that there is no daemon, and say so. Waiting and trying again is for connections that were lost.

use crate::client::{Client, Inner};
use crate::limits::ERRORS_MAX;
use crate::link::Link;
use crate::mailbox::Mailbox;
use crate::publish::new_uuid;
use crate::session::Session;
use crate::task::{Shared, Task};
use crate::{ConnectError, Loss, Token, socket_path};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, oneshot};

/// What to do when the connection is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// Connect again, after waits that grow from 50 ms to 5 s and differ by chance, for as long as
    /// the client exists.
    #[default]
    BackOff,
    /// End everything: operations fail and subscriptions end.
    Never,
}

/// How to connect; made by [`Client::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "a connection is made by `Builder::connect` or `Builder::over`"]
pub struct Builder {
    path: Option<PathBuf>,
    name: Option<String>,
    reconnect: Reconnect,
    descriptors: bool,
    token: Option<Token>,
}

impl Builder {
    /// The daemon's socket, where it is not the one that [`socket_path`] finds.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the program, for people who look at the bus: 1 to 64 bytes without control characters.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What to do when the connection is lost.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Takes payloads from 64 KiB on as memory that is handed over, and hands over such memory
    /// ([`Publish::sealed`](crate::Publish::sealed)), if the daemon agrees. A message of 1 MiB
    /// or more that is kept holds a mapping of the process, of which there are some 65,000.
    pub fn descriptors(mut self) -> Self {
        self.descriptors = true;
        self
    }

    /// Shows a token: that of a service, which the daemon gave it, or the key of whoever
    /// administers the daemon. A service's token works once, so it goes with [`Reconnect::Never`].
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Connects, and waits for the daemon's answer. It has to be called in a tokio runtime with I/O
    /// and time enabled, which then drives the connection.
    ///
    /// # Errors
    /// Says whether no path is known, nobody listens there, the daemon refuses, it speaks another
    /// version, or the socket fails.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        self.check()?;
        let path = self.path.clone().map_or_else(socket_path, Ok)?;
        let stream = UnixStream::connect(&path).await;
        let stream = stream.map_err(|error| ConnectError::from_io(path.clone(), error))?;
        self.greet(path, Link::Socket(stream)).await
    }

    /// Speaks with the daemon over this stream instead of its socket, such as a pipe inside the
    /// process. When the stream ends, so does everything; and descriptors are for sockets. In all
    /// else as [`Builder::connect`].
    ///
    /// # Errors
    /// If the daemon refuses, it speaks another version, or the stream ends.
    pub async fn over<S>(self, stream: S) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.check()?;
        let alone = Self { reconnect: Reconnect::Never, descriptors: false, ..self };
        alone.greet(PathBuf::new(), Link::Other(Box::new(stream))).await
    }

    fn check(&self) -> Result<(), ConnectError> {
        Ok(self.name.as_deref().map_or(Ok(()), kith_wire::check_name)?)
    }

    async fn greet(self, path: PathBuf, link: Link) -> Result<Client, ConnectError> {
        let Self { path: _, name, reconnect, descriptors, token } = self;
        let payload_bytes_max = AtomicUsize::new(0);
        let shared = Arc::new(Shared { mailbox: Mailbox::new(), payload_bytes_max });
        let (errors, unread) = broadcast::channel(ERRORS_MAX);
        let (first, connected) = oneshot::channel();
        let session = Session::new(name, new_uuid()).taking_descriptors(descriptors).showing(token);
        let task = Task::new(path, reconnect, session, Arc::clone(&shared), errors.clone(), first);
        let client = Client::new(Inner::new(shared, errors, unread));
        tokio::spawn(task.run(link));
        match connected.await.unwrap_or(Err(Loss::Closed)) {
            Ok(()) => Ok(client),
            Err(loss) => Err(ConnectError::from_loss(loss)),
        }
    }
}
