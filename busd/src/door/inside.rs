//! Connections from inside the process: of doors that speak something else outside.
//!
//! Such a door holds the far end of a pipe for each of its clients, and speaks binary frames on
//! it. So a client of any door has the same quotas, the same turns and the same counters; what its
//! own door has to know about it, the door knows. Who may come in has been decided there.

use super::connection::serve;
use super::pipe::{End, pair};
use super::stream::Stream;
use crate::hub::Hub;
use crate::limits::DBUS_CLIENTS_PARTS;
use kith_core::ClientId;
use kith_wire::{Code, Refusal};
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot};

/// The word for the door of services in this process, in `bus.clients`.
const SERVICE: &str = "service";

/// A client that another door brings.
pub(crate) struct Arrival {
    /// This side's end of the pipe.
    pub(crate) pipe: End,
    /// The word for its door, in `bus.clients`.
    pub(crate) door: &'static str,
    /// The client's process, if it is known.
    pub(crate) pid: Option<u32>,
    /// Told whether it may come in.
    pub(crate) entered: oneshot::Sender<Result<(), Refusal>>,
}

/// Where other doors bring their clients.
pub(crate) type Intake = mpsc::UnboundedSender<Arrival>;

/// Takes in what other doors bring, up to their share of the clients that there may be. Runs until
/// they are gone.
pub(crate) async fn take_arrivals(hub: Rc<Hub>, mut arrivals: mpsc::UnboundedReceiver<Arrival>) {
    let clients = Rc::new(Cell::new(0_usize));
    while let Some(Arrival { pipe, door, pid, entered }) = arrivals.recv().await {
        let clients_max = hub.broker().limits().clients_max / DBUS_CLIENTS_PARTS;
        let outcome = if clients.get() < clients_max {
            enter(&hub, pipe, door, pid, &clients)
        } else {
            hub.broker().count_refused_connection();
            let text =
                format!("{clients_max} programs of the session bus are here, as many as may");
            Err(Refusal::fatal(Code::QuotaClients, text))
        };
        // Whoever asked may have gone meanwhile; then its connection ends by itself.
        let _ = entered.send(outcome);
        hub.next_round().await;
    }
}

/// Brings a client from inside the process itself: a service. Returns its end of the pipe.
pub(crate) fn bring(hub: &Rc<Hub>) -> Result<End, Refusal> {
    let (near, far) = pair();
    enter(hub, near, SERVICE, None, &Rc::default())?;
    Ok(far)
}

/// Brings a part of the daemon that is a client, and may do what a program of the user's may.
pub(crate) fn bring_part(hub: &Rc<Hub>, door: &'static str) -> End {
    let (near, far) = pair();
    let client = hub.broker().connect_part(door);
    let pid = Some(std::process::id());
    hub.gate.admit(&mut hub.broker(), hub.now().unix_ms, client, pid);
    serve_inside(hub, near, client, pid, &Rc::default());
    far
}

fn enter(
    hub: &Rc<Hub>,
    pipe: End,
    door: &'static str,
    pid: Option<u32>,
    clients: &Rc<Cell<usize>>,
) -> Result<(), Refusal> {
    let client = hub.broker().connect_by(hub.now(), Some(door))?;
    // A service is no program: it shows a token.
    if door != SERVICE {
        hub.gate.admit(&mut hub.broker(), hub.now().unix_ms, client, pid);
    }
    serve_inside(hub, pipe, client, pid, clients);
    Ok(())
}

fn serve_inside(
    hub: &Rc<Hub>,
    pipe: End,
    client: ClientId,
    pid: Option<u32>,
    clients: &Rc<Cell<usize>>,
) {
    hub.perform();
    let process = hub.fairness.process(pid);
    let serving = serve(Rc::clone(hub), Stream::Pipe(pipe), client, process, pid);
    clients.set(clients.get() + 1);
    let clients = Rc::clone(clients);
    tokio::task::spawn_local(async move {
        serving.await;
        clients.set(clients.get() - 1);
    });
}
