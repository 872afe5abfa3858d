//! The live view: a screen of all CPUs, drawn anew each second from what they show.
