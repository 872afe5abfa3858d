//! Schedules that broke a rule once, as they were printed, each named after its bug. Places are counted
//! in accesses to shared words: where these change, a schedule may come to try something else.
