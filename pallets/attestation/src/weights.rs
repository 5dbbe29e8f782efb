//! What calls and housekeeping cost.

use frame_support::weights::Weight;
use holdfast_evidence::Evidence;

use crate::Path;

/// What each of the pallet's calls costs, and each part of what it does in every block.
pub trait WeightInfo {
    /// A list of revoked certificates, of so many bytes.
    fn submit_crl(bytes: u32) -> Weight;
    /// TCB info or a QE identity, of so many bytes.
    fn submit_collateral(bytes: u32) -> Weight;
    /// A PCK certificate.
    fn register_pck() -> Weight;
    /// Evidence of which so much was known.
    fn attest_by(path: Path) -> Weight;
    /// An attestation that is judged again.
    fn reevaluate() -> Weight;
    /// A request for new evidence.
    fn request_attestation() -> Weight;
    /// A change of a workload.
    fn propose_workload() -> Weight;
    /// A change of a device.
    fn enroll_device() -> Weight;
    /// A change of a platform's standing.
    fn revoke_platform() -> Weight;
    /// So many attestations that end.
    fn end_what_is_due(ended: u32) -> Weight;
    /// So many things that are kept and looked at.
    fn forget_what_is_due(looked_at: u32) -> Weight;
    /// So many attestations that a sweep judges again.
    fn sweep(judged: u32) -> Weight;

    /// Evidence, before it is known how much of it is: the most that its kind can cost.
    fn attest(evidence: &Evidence) -> Weight {
        match evidence {
            Evidence::Quote(_) => Self::attest_by(Path::NewPlatform),
            _ => Self::attest_by(Path::Device),
        }
    }
}
