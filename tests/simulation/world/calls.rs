//! At which calls runs die: every await of theirs waits for one of these.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

/// What a process that carries a session waits for.
pub const AWAITS: [&str; 9] = [
    "reading the cursor",
    "reading a playlist",
    "reading a segment",
    "storing a segment",
    "committing",
    "storing a playlist",
    "deleting a segment",
    "reporting",
    "a sleep",
];

/// What a run waits for beside.
pub const AWAITS_OF_RUNS: [&str; 7] = [
    "a look at the table",
    "taking a session up",
    "taking over",
    "committing under a lease",
    "renewing a lease",
    "giving a session back",
    "releasing a lease",
];

thread_local! {
    /// The life that is being lived.
    static LIFE: Cell<u32> = const { Cell::new(0) };
    /// What each life waits for.
    static PENDING: RefCell<BTreeMap<(u32, &'static str), u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// How often a life ended while it waited for a call of each kind, over all seeds.
static DEATHS: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());

/// A call that is under way until this is dropped.
pub struct Call((u32, &'static str));

impl Call {
    pub fn begin(kind: &'static str) -> Self {
        let key = (LIFE.get(), kind);
        PENDING.with_borrow_mut(|pending| *pending.entry(key).or_default() += 1);
        Self(key)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        PENDING.with_borrow_mut(|pending| {
            let count = pending.get_mut(&self.0).unwrap();
            *count -= 1;
            if *count == 0 {
                pending.remove(&self.0);
            }
        });
    }
}

/// A future that dies after it was polled so often: a crash at whichever await that is.
pub struct Mortal<F> {
    name: u32,
    life: Pin<Box<F>>,
    left: u32,
}

impl<F> Mortal<F> {
    /// `name` tells it from others that live at the same time.
    pub fn new(name: u32, life: F, polls: u32) -> Self {
        Self { name, life: Box::pin(life), left: polls }
    }
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            PENDING.with_borrow(|pending| {
                let mut deaths = DEATHS.lock().unwrap();
                let mine = pending.keys().filter(|(name, _)| *name == self.name);
                mine.for_each(|(_, kind)| *deaths.entry(kind).or_default() += 1);
            });
            return Poll::Ready(None);
        }
        self.left -= 1;
        let before = LIFE.replace(self.name);
        let polled = self.life.as_mut().poll(cx);
        LIFE.set(before);
        polled.map(Some)
    }
}

/// Prints how often lives ended at each kind of call, and fails when they never did at one of `kinds`.
pub fn hit(kinds: &[&str]) {
    let deaths = DEATHS.lock().unwrap().clone();
    for kind in kinds {
        let count = deaths.get(kind).copied().unwrap_or_default();
        println!("died {count} times during: {kind}");
        assert!(count > 0, "never died during: {kind}");
    }
}
