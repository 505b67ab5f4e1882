//! The attacker's process: started beside this program, waited for until it says that it is ready,
//! ended by its id.

use crate::machine::process_cpu;
use crate::process::end;
use crate::socket::Endpoint;
use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

pub(super) struct Attacker {
    child: Child,
    attack: String,
}

impl Attacker {
    pub(super) fn start(attack: &str, endpoint: &Endpoint) -> anyhow::Result<Self> {
        let socket = endpoint.unix_path()?;
        let program = crate::beside_us("kith-bench-attacker")?;
        let mut command = Command::new(&program);
        command.arg(attack).arg(socket).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let mut attacker = Self { child, attack: attack.to_owned() };
        let mut line = String::new();
        if let Some(output) = attacker.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line != "ready\n" {
            bail!("the attacker `{attack}` did not get ready");
        }
        Ok(attacker)
    }

    pub(super) fn cpu_seconds(&self) -> f64 {
        let cpu = process_cpu(self.child.id());
        cpu.user + cpu.system
    }

    /// Fails if it has ended by itself: then it was not there all the time.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the attacker `{}` ended, {status}", self.attack),
            None => Ok(()),
        }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
