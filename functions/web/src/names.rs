//! Names to addresses.

use crate::guard::Guard;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long what was found is taken for true: shorter than the minute that services which move use.
const FRESH: Duration = Duration::from_secs(10);
/// Names that are looked up at once; more wait. A lookup blocks a thread until the system's
/// resolver gives up, and the runtime has some 500.
const LOOKUPS: usize = 128;
/// Names that are remembered, unless they are in use: a playlist may name any number of hosts.
const NAMES: usize = 1024;

/// The system's resolver, asked once for what many sessions want to know, and what of its answers
/// may be connected to.
///
/// A name is looked up once at a time, so that names which are never answered do not keep the
/// threads from those that are.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    guard: Guard,
    known: Arc<Mutex<BTreeMap<String, Known>>>,
    lookups: Arc<Semaphore>,
}

/// The addresses of one name, and when they were found; locked while they are looked up.
type Known = Arc<tokio::sync::Mutex<Option<(Instant, Vec<SocketAddr>)>>>;

type BoxError = Box<dyn Error + Send + Sync>;

impl Names {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { guard, known: Arc::default(), lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    async fn find(&self, host: String) -> Result<Vec<SocketAddr>, BoxError> {
        let mut known = self.known(&host).lock_owned().await;
        if let Some((_, found)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(found.clone());
        }
        let turn = Arc::clone(&self.lookups).acquire_owned().await?;
        let found = tokio::task::spawn_blocking(move || {
            // The turn and the lock are held until the lookup is over, even when nobody waits for
            // it any more.
            let _turn = turn;
            let found: Vec<_> = (host.as_str(), 0)
                .to_socket_addrs()
                .map_err(|error| {
                    std::io::Error::other(format!("{host} cannot be looked up: {error}"))
                })?
                .collect();
            *known = Some((Instant::now(), found.clone()));
            Ok::<_, std::io::Error>(found)
        });
        Ok(found.await??)
    }

    fn known(&self, host: &str) -> Known {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= NAMES {
            all.retain(|_, known| Arc::strong_count(known) > 1);
        }
        Arc::clone(all.entry(host.to_owned()).or_default())
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.find(name.as_str().to_owned()).await?;
            let kept: Addrs = Box::new(names.guard.keep(name.as_str(), found)?.into_iter());
            Ok(kept)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reach;

    #[tokio::test]
    async fn a_name_is_looked_up_once_in_a_while() {
        let names = Names::new(Guard::new(Reach::Anywhere));
        let found = names.find("localhost".to_owned()).await.unwrap();
        assert!(found.iter().all(|it| it.ip().is_loopback()), "{found:?}");
        let other: Vec<SocketAddr> = vec!["192.0.2.1:0".parse().unwrap()];
        *names.known("localhost").lock().await = Some((Instant::now(), other.clone()));
        assert_eq!(names.find("localhost".to_owned()).await.unwrap(), other);
        let old = Instant::now().checked_sub(FRESH).unwrap();
        *names.known("localhost").lock().await = Some((old, other));
        assert_eq!(names.find("localhost".to_owned()).await.unwrap(), found);
    }

    /// What is judged is what is connected to: there is no other lookup in between.
    #[tokio::test]
    async fn a_name_that_is_public_first_and_private_next_is_refused_from_then_on() {
        let names = Names::new(Guard::new(Reach::Public));
        let resolve = async || {
            let name: Name = "rebind.example".parse().unwrap();
            names.resolve(name).await.map(Iterator::collect::<Vec<_>>)
        };
        for (address, allowed) in [
            ("8.8.8.8:0", true),
            ("169.254.169.254:0", false),
            ("[64:ff9b::a00:1]:0", false),
            ("8.8.4.4:0", true),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            *names.known("rebind.example").lock().await = Some((Instant::now(), vec![address]));
            match resolve().await {
                Ok(found) => assert!(allowed && found == [address], "{address}"),
                Err(error) => {
                    let refusal = error.downcast_ref::<crate::guard::Refusal>().unwrap();
                    assert!(!allowed, "{refusal}");
                }
            }
        }
    }

    #[tokio::test]
    async fn names_without_end_fill_no_memory() {
        let names = Names::new(Guard::new(Reach::Anywhere));
        let used = names.known("used.example");
        for n in 0..3 * NAMES {
            drop(names.known(&format!("{n}.example")));
        }
        assert!(names.known.lock().unwrap().len() <= NAMES);
        assert!(Arc::ptr_eq(&used, &names.known("used.example")));
    }
}
