//! Being told to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Becomes true when the process is told to end. Told again, it ends at once.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Begins to listen to SIGTERM and SIGINT.
    ///
    /// # Errors
    /// When the system does not let it, in words.
    pub fn listen() -> Result<Self, String> {
        let cannot = |error| format!("cannot wait for signals: {error}");
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if tell.send_replace(true) {
                    std::process::exit(130);
                }
            }
        });
        Ok(Self(told))
    }

    /// Waits until it is told to.
    pub async fn told(&mut self) {
        // Whoever would say so is there as long as the process.
        drop(self.0.wait_for(|told| *told).await);
    }
}
