//! A way between two devices that a test can listen to, cut and mend.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use tokio::net::UdpSocket;

/// What goes to its address goes on to a device, and what comes back from there goes back.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    far: SocketAddr,
    out: Rc<UdpSocket>,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    /// Everything that went there, in order.
    sent: Vec<Vec<u8>>,
    near: Option<SocketAddr>,
}

impl Wire {
    pub(crate) async fn to(endpoint: &str) -> Self {
        let far: SocketAddr = endpoint.parse().unwrap();
        let near = Rc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let out = Rc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let state = Rc::new(RefCell::new(State::default()));
        let address = near.local_addr().unwrap();
        let (there, to) = (Rc::clone(&state), Rc::clone(&out));
        let back = Rc::clone(&near);
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((count, from)) = near.recv_from(&mut buffer).await {
                let bytes = buffer[..count].to_vec();
                let is_cut = {
                    let mut state = there.borrow_mut();
                    state.near = Some(from);
                    state.sent.push(bytes.clone());
                    state.is_cut
                };
                if !is_cut {
                    to.send_to(&bytes, far).await.unwrap();
                }
            }
        });
        let (here, from) = (Rc::clone(&state), Rc::clone(&out));
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((count, _)) = from.recv_from(&mut buffer).await {
                let near = here.borrow().near.filter(|_| !here.borrow().is_cut);
                if let Some(near) = near {
                    back.send_to(&buffer[..count], near).await.unwrap();
                }
            }
        });
        Self { address, far, out, state }
    }

    /// From now on nothing comes through.
    pub(crate) fn cut(&self) {
        self.state.borrow_mut().is_cut = true;
    }

    pub(crate) fn mend(&self) {
        self.state.borrow_mut().is_cut = false;
    }

    /// Sends once more all that was sent.
    pub(crate) async fn again(&self) {
        self.send_all(&self.out).await;
    }

    /// The same, from another address.
    pub(crate) async fn again_from_elsewhere(&self) {
        self.send_all(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()).await;
    }

    async fn send_all(&self, from: &UdpSocket) {
        let sent = self.state.borrow().sent.clone();
        for bytes in sent {
            from.send_to(&bytes, self.far).await.unwrap();
        }
    }
}
