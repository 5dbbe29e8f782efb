//! Evidence, real and mock, judged.

mod case;
mod certificates;
mod chains;
mod collateral;
mod completeness;
mod crls;
mod dates;
mod der;
mod differential;
mod documents;
mod form;
mod later;
mod mock_oracle;
mod platform;
mod qe;
mod samples;
mod sgx_extension;
mod workload;
