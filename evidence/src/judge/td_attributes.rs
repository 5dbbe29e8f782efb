//! The bits of a trust domain's attributes and of its extended features.
//!
//! Source: Intel TDX Module ABI Specification (348551), "ATTRIBUTES" and "XFAM".

/// The host may look into the trust domain: its debugger, and three profilers. Never allowed.
pub const DEBUG: u64 = 1;
/// As [`DEBUG`]: HGS+, performance and platform monitoring.
pub const PROFILING: u64 = 0x70;
/// A defence against single-stepping.
pub const ICSSD: u64 = 1 << 16;
/// Service trust domains are reported in full.
pub const SERVTD_EXT: u64 = 1 << 17;
/// Linear address space separation may be used.
pub const LASS: u64 = 1 << 27;
/// Access to a page that is not accepted yet ends the trust domain, where it would otherwise raise an exception that the
/// host can time. Always demanded.
pub const SEPT_VE_DISABLE: u64 = 1 << 28;
/// It can be moved to another platform.
pub const MIGRATABLE: u64 = 1 << 29;
/// Supervisor protection keys may be used.
pub const PKS: u64 = 1 << 30;
/// Key Locker may be used.
pub const KL: u64 = 1 << 31;
/// It provisions devices for others.
pub const TPA: u64 = 1 << 62;
/// Performance counters may be used.
pub const PERFMON: u64 = 1 << 63;

/// What a policy may allow.
pub const OPTIONAL: u64 = ICSSD | SERVTD_EXT | LASS | MIGRATABLE | PKS | KL | TPA | PERFMON;
/// The names of those, as policies and errors write them.
pub const NAMES: [(&str, u64); 8] = [
    ("migratable", MIGRATABLE),
    ("servtd_ext", SERVTD_EXT),
    ("pks", PKS),
    ("kl", KL),
    ("perfmon", PERFMON),
    ("lass", LASS),
    ("icssd", ICSSD),
    ("tpa", TPA),
];
/// What must be clear because nobody here knows what it means.
pub const RESERVED: u64 = !(DEBUG | PROFILING | SEPT_VE_DISABLE | OPTIONAL);

/// Extended features that every trust domain has: x87 and SSE.
pub const XFAM_ALWAYS: u64 = 0x3;
/// Extended features that a trust domain may have.
pub const XFAM_OPTIONAL: u64 = 0x0006_dbe7;
