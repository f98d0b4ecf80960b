//! Mapped files of which a part cannot be read any more: another program cut them off in place, or the disk below them fails.
//!
//! The system says so by the signal SIGBUS at the instruction that reads, which ends a process that does not expect it. With [`expect`] it
//! becomes an error: from the page that is missing on the map reads as zeros, what was read so far notwithstanding no file gets its name
//! any more, nothing is printed as a result, and the command fails with the name of the file ([`check`]).
//!
//! Only the command line calls [`expect`]: a signal's handler is the process's, which of a library is somebody else's. Without it nothing is
//! noted of maps.
#![allow(unsafe_code, reason = "a signal's handler, and the map that it makes")]

use std::{
    collections::BTreeMap,
    ffi::{c_int, c_void},
    mem::MaybeUninit,
    path::{Path, PathBuf},
    ptr,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
    },
};

use crate::error::{Error, Result};

/// Maps that are looked after at a time. Those beyond are as without this module.
const MOST: usize = 1024;

/// Where a map lies. The handler reads it at any moment, so there are no locks; a length of 0 is no map.
struct Place {
    is_taken: AtomicBool,
    start: AtomicUsize,
    len: AtomicUsize,
    is_lost: AtomicBool,
}

static PLACES: [Place; MOST] = [const {
    Place { is_taken: AtomicBool::new(false), start: AtomicUsize::new(0), len: AtomicUsize::new(0), is_lost: AtomicBool::new(false) }
}; MOST];

/// Bytes of a page; 0 while nobody expects the signal.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// Whether any map has lost something.
static ANY: AtomicBool = AtomicBool::new(false);

/// What the process did at this signal before; it is never given back.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());

/// The files whose maps are looked after, by their place.
static OPEN: Mutex<BTreeMap<usize, PathBuf>> = Mutex::new(BTreeMap::new());

/// The first file that has lost something, once its map is gone.
static FIRST: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on a map that loses something is an error and not the end of the process.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a process's signals are not a library's"))]
pub fn expect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0);
        if !page.is_power_of_two() {
            return;
        }
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: with no new action only the old one is written, into memory for one.
        if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) } != 0 {
            return;
        }
        // SAFETY: it was written; of zeros it would be valid, too.
        BEFORE.store(Box::into_raw(Box::new(unsafe { before.assume_init() })), Ordering::Release);
        PAGE.store(page, Ordering::Release);
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
        // SAFETY: zeros are a valid action.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as usize;
        // On the stack for signals: that of the thread may be what is at its end.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the action is complete; its handler has the form that SA_SIGINFO asks for, and does only what handlers may.
        if unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) } != 0 {
            PAGE.store(0, Ordering::Release);
        }
    });
}

extern "C" fn on_signal(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system gives a handler with SA_SIGINFO a valid one, of this signal with an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    // Other programs' signals have codes of 0 and below, and no address.
    if code <= 0 || !is_patched(address) {
        let before = BEFORE.load(Ordering::Acquire);
        // SAFETY: set before the handler was, and never freed. The instruction is tried again, with what was to happen without us.
        unsafe { libc::sigaction(libc::SIGBUS, before, ptr::null_mut()) };
    }
}

/// Puts zeros where a map has lost its file, from the page of `address` to its end. Runs inside the handler: no locks, no memory.
fn is_patched(address: usize) -> bool {
    let page = PAGE.load(Ordering::Acquire);
    for place in &PLACES {
        let len = place.len.load(Ordering::Acquire);
        let start = place.start.load(Ordering::Acquire);
        if len == 0 || address < start || address - start >= len {
            continue;
        }
        let from = address & !(page - 1);
        // SAFETY: these pages are inside a map of ours, which is alive: somebody reads from it. They are replaced by ones of zeros that can
        // only be read, as before; so every reference into them stays valid. That the values change is what any other program's write to
        // the file does, too: see `enabled.rs`.
        let made = unsafe {
            libc::mmap(
                from as *mut c_void,
                start + len - from,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if made == libc::MAP_FAILED {
            return false;
        }
        place.is_lost.store(true, Ordering::Release);
        ANY.store(true, Ordering::Release);
        return true;
    }
    false
}

/// That a map is looked after; to be dropped before the map is.
pub(super) struct Watch(usize);

impl Watch {
    /// Looks after the map of the file at `path`. `None` where nobody expects the signal, or there are too many.
    pub(super) fn over(map: &[u8], path: &Path) -> Option<Self> {
        if PAGE.load(Ordering::Acquire) == 0 {
            return None;
        }
        let (number, place) = PLACES.iter().enumerate().find(|(_, place)| !place.is_taken.swap(true, Ordering::AcqRel))?;
        held(&OPEN).insert(number, path.to_owned());
        place.start.store(map.as_ptr() as usize, Ordering::Release);
        place.len.store(map.len(), Ordering::Release);
        Some(Self(number))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(place) = PLACES.get(self.0) else { return };
        place.len.store(0, Ordering::Release);
        let path = held(&OPEN).remove(&self.0);
        if place.is_lost.swap(false, Ordering::AcqRel) {
            let mut first = held(&FIRST);
            *first = first.take().or(path);
        }
        place.is_taken.store(false, Ordering::Release);
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether every byte that was read from maps was one of the file.
///
/// # Errors
/// Where one was not: nothing that was made since may be kept or believed.
pub fn check() -> Result<()> {
    if !ANY.load(Ordering::Acquire) {
        return Ok(());
    }
    let is_lost = |number: &usize| PLACES.get(*number).is_some_and(|place| place.is_lost.load(Ordering::Acquire));
    let open = held(&OPEN).iter().find(|(number, _)| is_lost(number)).map(|(_, path)| path.clone());
    let what = match held(&FIRST).clone().or(open) {
        Some(path) => format!("`{}` was cut off while it was read", path.display()),
        None => "a file was cut off while it was read".to_owned(),
    };
    Err(Error::new(what)
        .because("a part of it that was there at first cannot be read any more: another program shortened it, or the disk has a fault")
        .help("wait until whatever writes it is done, then run the same command again"))
}

/// Begins anew, for a program that goes on after the error: what was read before is not used any more.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line goes on"))]
pub fn forget() {
    *held(&FIRST) = None;
    ANY.store(false, Ordering::Release);
}
