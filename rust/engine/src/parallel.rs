//! Independent units on a few threads: the same results in the same order, whatever the number of threads.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rayon::prelude::*;

use crate::error::{Error, Result};

/// A flag that another thread raises to stop a long call; work in progress returns [`Error::Interrupted`].
#[derive(Debug, Default)]
pub struct Interrupt(AtomicBool);

impl Interrupt {
    /// A flag that is down.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Raises the flag.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error once the flag is up.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// `work(0), ..., work(units - 1)` in order, computed on `threads` threads (0: one per core).
///
/// The flag is looked at before each unit, so a unit is what an interrupt waits for: keep units below a tenth of a
/// second, or check the flag inside.
pub fn map_units<T, F>(threads: usize, units: usize, interrupt: &Interrupt, work: F) -> Result<Vec<T>>
where
    T: Send,
    F: Fn(usize) -> Result<T> + Sync,
{
    let checked = |unit| interrupt.check().and_then(|()| work(unit));
    if threads == 1 || units <= 1 {
        return (0..units).map(checked).collect();
    }
    let run = || (0..units).into_par_iter().map(checked).collect();
    if threads == 0 && pool_is_ours() {
        return run();
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::input("threads", "a number of threads that the system can start", e))?
        .install(run)
}

/// Whether the shared pool's threads live in this process: a fork copies the pool, but none of its threads.
fn pool_is_ours() -> bool {
    static OWNER: AtomicU32 = AtomicU32::new(0);
    let this = std::process::id();
    match OWNER.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => true,
        Err(owner) => owner == this,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_results_do_not_depend_on_threads() {
        let flag = Interrupt::new();
        let one = map_units(1, 1000, &flag, |i| Ok(i * i)).expect("no error");
        for threads in [0, 2, 7] {
            assert_eq!(one, map_units(threads, 1000, &flag, |i| Ok(i * i)).expect("no error"));
        }
    }

    #[test]
    fn a_raised_flag_stops_the_work() {
        let flag = Interrupt::new();
        let result = map_units(2, 1000, &flag, |i| {
            if i == 3 {
                flag.raise();
            }
            Ok(i)
        });
        assert_eq!(result, Err(Error::Interrupted));
    }
}
