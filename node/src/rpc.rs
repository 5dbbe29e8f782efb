//! The node's JSON-RPC: what every Substrate node serves, and what its signer says of itself.

use std::sync::Arc;

use holdfast_runtime::{opaque::Block, AccountId, Balance, Nonce};
use jsonrpsee::{types::ResponsePayload, RpcModule};
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_block_builder::BlockBuilder;
use sp_blockchain::{Error as BlockchainError, HeaderBackend, HeaderMetadata};

use crate::signer::Signer;

/// What the methods need.
pub(crate) struct FullDeps<C, P> {
    pub(crate) client: Arc<C>,
    pub(crate) pool: Arc<P>,
    pub(crate) signer: Signer,
}

/// All extensions: `system_*`, `payment_*` and `tee_status`.
pub(crate) fn create_full<C, P>(
    FullDeps { client, pool, signer }: FullDeps<C, P>,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + HeaderMetadata<Block, Error = BlockchainError>,
    C: Send + Sync + 'static,
    C::Api: substrate_frame_rpc_system::AccountNonceApi<Block, AccountId, Nonce>,
    C::Api: pallet_transaction_payment_rpc::TransactionPaymentRuntimeApi<Block, Balance>,
    C::Api: BlockBuilder<Block>,
    P: TransactionPool + 'static,
{
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    use substrate_frame_rpc_system::{System, SystemApiServer};

    let mut module = RpcModule::new(());
    module.merge(System::new(client.clone(), pool).into_rpc())?;
    module.merge(TransactionPayment::new(client).into_rpc())?;
    module.register_method("tee_status", move |_, _, _| ResponsePayload::success(signer.status()))?;
    Ok(module)
}
