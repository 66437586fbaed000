//! A network between two parts: it carries what it is given, as badly as it is told to.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How a network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weather {
    Fair,
    /// Everything comes so much later.
    Slow(Duration),
    /// Nothing comes, and nobody is told, as with a cable that was pulled.
    Lost,
    /// A connection is reset once it has carried so many bytes in one direction.
    Resets(usize),
    /// All connections together carry so many bytes a second in both directions.
    Narrow(u32),
}

/// A network before one port of this machine.
pub struct Network {
    address: String,
    weather: watch::Sender<Weather>,
    state: Arc<State>,
}

struct State {
    to: u16,
    weather: watch::Receiver<Weather>,
    /// When a narrow network is free again.
    free: Mutex<Instant>,
    /// Connections that were reset.
    resets: Mutex<usize>,
}

/// How much is carried at once.
const PIECE: usize = 4 << 10;
/// How many pieces are on their way in one direction at most.
const PIECES: usize = 256;

impl Network {
    /// Stands before `port` on 127.0.0.1 until the runtime ends.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (weather, told) = watch::channel(Weather::Fair);
        let free = Mutex::new(Instant::now());
        let state = Arc::new(State { to: port, weather: told, free, resets: Mutex::default() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { state.connect(stream).await });
            }
        });
        Self { address, weather, state }
    }

    /// An address with this network's port in the place of that of the machine behind it.
    pub fn address(&self, url: &str) -> String {
        url.replace(&format!("127.0.0.1:{}", self.state.to), &self.address)
    }

    /// How it is from now on, for all connections.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How many connections it has reset.
    pub fn resets(&self) -> usize {
        *self.state.resets.lock().unwrap()
    }
}

impl State {
    async fn connect(&self, mut near: TcpStream) {
        let Ok(mut far) = TcpStream::connect(("127.0.0.1", self.to)).await else {
            near.set_zero_linger().unwrap();
            return;
        };
        let ((near_reads, near_writes), (far_reads, far_writes)) = (near.split(), far.split());
        let there = self.carry(near_reads, far_writes);
        let back = self.carry(far_reads, near_writes);
        if tokio::try_join!(there, back).is_err() {
            // Either may be gone by itself.
            let _ = (near.set_zero_linger(), far.set_zero_linger());
        }
    }

    /// Carries one direction to its end.
    async fn carry(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
        let read = async move {
            loop {
                let mut piece = vec![0; PIECE];
                let length = from.read(&mut piece).await?;
                piece.truncate(length);
                let late = match *self.weather.borrow() {
                    Weather::Slow(late) => late,
                    Weather::Fair | Weather::Lost | Weather::Resets(_) | Weather::Narrow(_) => {
                        Duration::ZERO
                    }
                };
                let due = Instant::now() + late;
                if sender.send((due, piece)).await.is_err() || length == 0 {
                    return Ok(());
                }
            }
        };
        let write = async move {
            let (mut weather, mut carried) = (self.weather.clone(), 0);
            while let Some((due, piece)) = pieces.recv().await {
                sleep_until(due).await;
                let now = *weather.wait_for(|now| *now != Weather::Lost).await.unwrap();
                if piece.is_empty() {
                    break;
                }
                carried += piece.len();
                match now {
                    Weather::Resets(after) if carried > after => {
                        *self.resets.lock().unwrap() += 1;
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                    Weather::Narrow(bytes) => sleep_until(self.turn(piece.len(), bytes)).await,
                    Weather::Fair | Weather::Slow(_) | Weather::Lost | Weather::Resets(_) => {}
                }
                to.write_all(&piece).await?;
            }
            to.shutdown().await
        };
        tokio::try_join!(read, write).map(|_| ())
    }

    /// When so many bytes have been carried by a network that is shared.
    fn turn(&self, bytes: usize, a_second: u32) -> Instant {
        let mut free = self.free.lock().unwrap();
        let takes = Duration::from_secs(1) * u32::try_from(bytes).unwrap() / a_second;
        *free = (*free).max(Instant::now()) + takes;
        *free
    }
}
