//! The service of the contract: a table of all its calls, each with the function that lowers it.
//!
//! Invariant: every call is in the table. `here` runs on the thread that read the request, so it must be quick; `aside` may
//! wait for a disk; `own` decides that itself; `absent` says that the call is not supported.

use super::refuse::Reply;
use crate::guard::contain;
use crate::lower::{
    Call, Node, alias, collection, compact, database, flush, hybrid, index, load, partition, query, rows,
    search, segment, system,
};
use crate::status::Fault;
use std::sync::Arc;
use tonic::codegen::{BoxStream, tokio_stream};
use tonic::{Request, Response, Status};
use wire::proto::milvus as pb;
use wire::proto::milvus::milvus_service_server::MilvusService;
use wire::proto::{common, feder};

type Answer<R> = Result<Response<R>, Status>;

/// Takes calls in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    node: Arc<Node>,
}

impl Door {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    fn call<Q>(&self, request: Request<Q>) -> (Call, Q) {
        let database =
            request.metadata().get("dbname").and_then(|name| name.to_str().ok()).unwrap_or_default();
        (Call::new(Arc::clone(&self.node), database.to_owned()), request.into_inner())
    }

    /// Runs `lower` on this thread.
    fn here<Q, R: Reply>(&self, request: Request<Q>, lower: fn(&Call, Q) -> Result<R, Fault>) -> Answer<R> {
        let (call, request) = self.call(request);
        answer(contain(|| lower(&call, request)))
    }

    /// Runs `lower` on a thread that may wait.
    async fn aside<Q, R>(&self, request: Request<Q>, lower: fn(&Call, Q) -> Result<R, Fault>) -> Answer<R>
    where
        Q: Send + 'static,
        R: Reply + Send + 'static,
    {
        let (call, request) = self.call(request);
        aside(move || lower(&call, request)).await
    }
}

/// The calls that choose for themselves where to run, and the streams.
impl Door {
    async fn find(&self, request: Request<pb::SearchRequest>) -> Answer<pb::SearchResults> {
        let (call, request) = self.call(request);
        if search::is_large(&request) {
            return aside(move || search::plan(&call, request).and_then(|plan| search::run(&call, plan)))
                .await;
        }
        let planned =
            contain(|| search::plan(&call, request).map(|plan| (search::is_quick(&call, &plan), plan)));
        match planned {
            Err(fault) => answer(Err(fault)),
            Ok((true, plan)) => answer(contain(|| search::run(&call, plan))),
            Ok((false, plan)) => aside(move || search::run(&call, plan)).await,
        }
    }

    async fn look_up(&self, request: Request<pb::QueryRequest>) -> Answer<pb::QueryResults> {
        let (call, request) = self.call(request);
        let planned =
            contain(|| query::plan(&call, request).map(|plan| (query::is_quick(&call, &plan), plan)));
        match planned {
            Err(fault) => answer(Err(fault)),
            Ok((true, plan)) => answer(contain(|| query::run(&call, plan))),
            Ok((false, plan)) => aside(move || query::run(&call, plan)).await,
        }
    }

    async fn replicate(
        &self,
        _request: Request<tonic::Streaming<pb::ReplicateRequest>>,
    ) -> Answer<BoxStream<pb::ReplicateResponse>> {
        // This reply and the next have no Status to say it with.
        Err(Status::unimplemented("CreateReplicateStream is not supported by this server"))
    }

    async fn replicate_info(
        &self,
        _request: Request<pb::GetReplicateInfoRequest>,
    ) -> Answer<pb::GetReplicateInfoResponse> {
        Err(Status::unimplemented("GetReplicateInfo is not supported by this server"))
    }

    async fn dump(
        &self,
        _request: Request<pb::DumpMessagesRequest>,
    ) -> Answer<BoxStream<pb::DumpMessagesResponse>> {
        let refusal = Reply::refuse(Fault::unsupported("DumpMessages").into_status());
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(refusal)))))
    }
}

async fn aside<R: Reply + Send + 'static>(
    work: impl FnOnce() -> Result<R, Fault> + Send + 'static,
) -> Answer<R> {
    let done = tokio::task::spawn_blocking(move || contain(work)).await;
    // The work contains its own panics; what is left is a runtime that is shutting down.
    answer(done.unwrap_or_else(|_| {
        Err(Fault::new(wire::Code::ServiceNotReady, "the server is stopping: service not ready"))
    }))
}

fn answer<R: Reply>(result: Result<R, Fault>) -> Answer<R> {
    Ok(Response::new(result.unwrap_or_else(|fault| R::refuse(fault.into_status()))))
}

macro_rules! run {
    (here $door:ident $request:ident $lower:path) => {
        $door.here($request, $lower)
    };
    (aside $door:ident $request:ident $lower:path) => {
        $door.aside($request, $lower).await
    };
    (own $door:ident $request:ident $lower:path) => {
        $lower($door, $request).await
    };
    (absent $door:ident $request:ident $rpc:literal) => {{
        drop($request);
        answer(Err(Fault::unsupported($rpc)))
    }};
}

macro_rules! table {
    ($($mode:ident $name:ident($ask:ty) -> $reply:ty = $how:tt $(:: $rest:ident)?;)*) => {
        #[tonic::async_trait]
        impl MilvusService for Door {
            $(async fn $name(&self, request: Request<$ask>) -> Answer<$reply> {
                run!($mode self request $how $(:: $rest)?)
            })*
        }
    };
}

table! {
    own search(pb::SearchRequest) -> pb::SearchResults = Self::find;
    own query(pb::QueryRequest) -> pb::QueryResults = Self::look_up;
    own create_replicate_stream(tonic::Streaming<pb::ReplicateRequest>) -> BoxStream<pb::ReplicateResponse> = Self::replicate;
    own get_replicate_info(pb::GetReplicateInfoRequest) -> pb::GetReplicateInfoResponse = Self::replicate_info;
    own dump_messages(pb::DumpMessagesRequest) -> BoxStream<pb::DumpMessagesResponse> = Self::dump;
    here describe_collection(pb::DescribeCollectionRequest) -> pb::DescribeCollectionResponse = collection::describe;
    here batch_describe_collection(pb::BatchDescribeCollectionRequest) -> pb::BatchDescribeCollectionResponse = collection::describe_many;
    here has_collection(pb::HasCollectionRequest) -> pb::BoolResponse = collection::has;
    here show_collections(pb::ShowCollectionsRequest) -> pb::ShowCollectionsResponse = collection::show;
    here get_collection_statistics(pb::GetCollectionStatisticsRequest) -> pb::GetCollectionStatisticsResponse = collection::statistics;
    aside create_collection(pb::CreateCollectionRequest) -> common::Status = collection::create;
    aside drop_collection(pb::DropCollectionRequest) -> common::Status = collection::drop;
    aside rename_collection(pb::RenameCollectionRequest) -> common::Status = collection::rename;
    aside alter_collection(pb::AlterCollectionRequest) -> common::Status = collection::alter;
    aside alter_collection_field(pb::AlterCollectionFieldRequest) -> common::Status = collection::alter_field;
    aside add_collection_field(pb::AddCollectionFieldRequest) -> common::Status = collection::add_field;
    aside add_collection_struct_field(pb::AddCollectionStructFieldRequest) -> common::Status = collection::add_struct;
    aside alter_collection_schema(pb::AlterCollectionSchemaRequest) -> pb::AlterCollectionSchemaResponse = collection::alter_schema;
    aside load_collection(pb::LoadCollectionRequest) -> common::Status = load::collection;
    aside release_collection(pb::ReleaseCollectionRequest) -> common::Status = load::release_collection;
    aside load_partitions(pb::LoadPartitionsRequest) -> common::Status = load::partitions;
    aside release_partitions(pb::ReleasePartitionsRequest) -> common::Status = load::release_partitions;
    here get_loading_progress(pb::GetLoadingProgressRequest) -> pb::GetLoadingProgressResponse = load::progress;
    here get_load_state(pb::GetLoadStateRequest) -> pb::GetLoadStateResponse = load::state;
    here get_replicas(pb::GetReplicasRequest) -> pb::GetReplicasResponse = load::replicas;
    aside create_partition(pb::CreatePartitionRequest) -> common::Status = partition::create;
    aside drop_partition(pb::DropPartitionRequest) -> common::Status = partition::drop;
    here has_partition(pb::HasPartitionRequest) -> pb::BoolResponse = partition::has;
    here show_partitions(pb::ShowPartitionsRequest) -> pb::ShowPartitionsResponse = partition::show;
    here get_partition_statistics(pb::GetPartitionStatisticsRequest) -> pb::GetPartitionStatisticsResponse = partition::statistics;
    aside create_alias(pb::CreateAliasRequest) -> common::Status = alias::create;
    aside drop_alias(pb::DropAliasRequest) -> common::Status = alias::drop;
    aside alter_alias(pb::AlterAliasRequest) -> common::Status = alias::alter;
    here describe_alias(pb::DescribeAliasRequest) -> pb::DescribeAliasResponse = alias::describe;
    here list_aliases(pb::ListAliasesRequest) -> pb::ListAliasesResponse = alias::list;
    aside create_index(pb::CreateIndexRequest) -> common::Status = index::create;
    aside alter_index(pb::AlterIndexRequest) -> common::Status = index::alter;
    aside drop_index(pb::DropIndexRequest) -> common::Status = index::drop;
    here describe_index(pb::DescribeIndexRequest) -> pb::DescribeIndexResponse = index::describe;
    here get_index_statistics(pb::GetIndexStatisticsRequest) -> pb::GetIndexStatisticsResponse = index::statistics;
    here get_index_state(pb::GetIndexStateRequest) -> pb::GetIndexStateResponse = index::state;
    here get_index_build_progress(pb::GetIndexBuildProgressRequest) -> pb::GetIndexBuildProgressResponse = index::progress;
    aside insert(pb::InsertRequest) -> pb::MutationResult = rows::insert;
    aside upsert(pb::UpsertRequest) -> pb::MutationResult = rows::upsert;
    aside delete(pb::DeleteRequest) -> pb::MutationResult = rows::delete;
    aside flush(pb::FlushRequest) -> pb::FlushResponse = flush::collections;
    aside flush_all(pb::FlushAllRequest) -> pb::FlushAllResponse = flush::all;
    here get_flush_state(pb::GetFlushStateRequest) -> pb::GetFlushStateResponse = flush::state;
    here get_flush_all_state(pb::GetFlushAllStateRequest) -> pb::GetFlushAllStateResponse = flush::all_state;
    here get_persistent_segment_info(pb::GetPersistentSegmentInfoRequest) -> pb::GetPersistentSegmentInfoResponse = segment::persistent;
    here get_query_segment_info(pb::GetQuerySegmentInfoRequest) -> pb::GetQuerySegmentInfoResponse = segment::serving;
    aside manual_compaction(pb::ManualCompactionRequest) -> pb::ManualCompactionResponse = compact::start;
    here get_compaction_state(pb::GetCompactionStateRequest) -> pb::GetCompactionStateResponse = compact::state;
    here get_compaction_state_with_plans(pb::GetCompactionPlansRequest) -> pb::GetCompactionPlansResponse = compact::plans;
    aside create_database(pb::CreateDatabaseRequest) -> common::Status = database::create;
    aside drop_database(pb::DropDatabaseRequest) -> common::Status = database::drop;
    aside alter_database(pb::AlterDatabaseRequest) -> common::Status = database::alter;
    here list_databases(pb::ListDatabasesRequest) -> pb::ListDatabasesResponse = database::list;
    here describe_database(pb::DescribeDatabaseRequest) -> pb::DescribeDatabaseResponse = database::describe;
    here connect(pb::ConnectRequest) -> pb::ConnectResponse = system::connect;
    here get_version(pb::GetVersionRequest) -> pb::GetVersionResponse = system::version;
    here check_health(pb::CheckHealthRequest) -> pb::CheckHealthResponse = system::health;
    here get_metrics(pb::GetMetricsRequest) -> pb::GetMetricsResponse = system::metrics;
    here get_component_states(pb::GetComponentStatesRequest) -> pb::ComponentStates = system::components;
    here alloc_timestamp(pb::AllocTimestampRequest) -> pb::AllocTimestampResponse = system::timestamp;
    here dummy(pb::DummyRequest) -> pb::DummyResponse = system::dummy;
    here register_link(pb::RegisterLinkRequest) -> pb::RegisterLinkResponse = system::register_link;
    here load_balance(pb::LoadBalanceRequest) -> common::Status = system::balance;
    here list_resource_groups(pb::ListResourceGroupsRequest) -> pb::ListResourceGroupsResponse = system::resource_groups;
    here describe_resource_group(pb::DescribeResourceGroupRequest) -> pb::DescribeResourceGroupResponse = system::resource_group;
    here get_replicate_configuration(pb::GetReplicateConfigurationRequest) -> pb::GetReplicateConfigurationResponse = system::replication;
    here calc_distance(pb::CalcDistanceRequest) -> pb::CalcDistanceResults = system::calc_distance;
    here replicate_message(pb::ReplicateMessageRequest) -> pb::ReplicateMessageResponse = system::replicate_message;

    absent add_collection_function(pb::AddCollectionFunctionRequest) -> common::Status = "AddCollectionFunction";
    absent alter_collection_function(pb::AlterCollectionFunctionRequest) -> common::Status = "AlterCollectionFunction";
    absent drop_collection_function(pb::DropCollectionFunctionRequest) -> common::Status = "DropCollectionFunction";
    absent truncate_collection(pb::TruncateCollectionRequest) -> pb::TruncateCollectionResponse = "TruncateCollection";
    absent prewarm(pb::PrewarmRequest) -> pb::PrewarmResponse = "Prewarm";
    absent describe_prewarm_task(pb::DescribePrewarmTaskRequest) -> pb::DescribePrewarmTaskResponse = "DescribePrewarmTask";
    absent create_namespace(pb::CreateNamespaceRequest) -> pb::CreateNamespaceResponse = "CreateNamespace";
    absent describe_namespace(pb::DescribeNamespaceRequest) -> pb::DescribeNamespaceResponse = "DescribeNamespace";
    absent list_namespaces(pb::ListNamespacesRequest) -> pb::ListNamespacesResponse = "ListNamespaces";
    absent drop_namespace(pb::DropNamespaceRequest) -> pb::DropNamespaceResponse = "DropNamespace";
    absent has_namespace(pb::HasNamespaceRequest) -> pb::HasNamespaceResponse = "HasNamespace";
    absent get_namespace_stats(pb::GetNamespaceStatsRequest) -> pb::GetNamespaceStatsResponse = "GetNamespaceStats";
    aside hybrid_search(pb::HybridSearchRequest) -> pb::SearchResults = hybrid::hybrid;
    absent import(pb::ImportRequest) -> pb::ImportResponse = "Import";
    absent get_import_state(pb::GetImportStateRequest) -> pb::GetImportStateResponse = "GetImportState";
    absent list_import_tasks(pb::ListImportTasksRequest) -> pb::ListImportTasksResponse = "ListImportTasks";
    absent create_credential(pb::CreateCredentialRequest) -> common::Status = "CreateCredential";
    absent update_credential(pb::UpdateCredentialRequest) -> common::Status = "UpdateCredential";
    absent delete_credential(pb::DeleteCredentialRequest) -> common::Status = "DeleteCredential";
    absent list_cred_users(pb::ListCredUsersRequest) -> pb::ListCredUsersResponse = "ListCredUsers";
    absent create_role(pb::CreateRoleRequest) -> common::Status = "CreateRole";
    absent alter_role(pb::AlterRoleRequest) -> common::Status = "AlterRole";
    absent drop_role(pb::DropRoleRequest) -> common::Status = "DropRole";
    absent operate_user_role(pb::OperateUserRoleRequest) -> common::Status = "OperateUserRole";
    absent select_role(pb::SelectRoleRequest) -> pb::SelectRoleResponse = "SelectRole";
    absent select_user(pb::SelectUserRequest) -> pb::SelectUserResponse = "SelectUser";
    absent operate_privilege(pb::OperatePrivilegeRequest) -> common::Status = "OperatePrivilege";
    absent operate_privilege_v2(pb::OperatePrivilegeV2Request) -> common::Status = "OperatePrivilegeV2";
    absent select_grant(pb::SelectGrantRequest) -> pb::SelectGrantResponse = "SelectGrant";
    absent create_resource_group(pb::CreateResourceGroupRequest) -> common::Status = "CreateResourceGroup";
    absent drop_resource_group(pb::DropResourceGroupRequest) -> common::Status = "DropResourceGroup";
    absent update_resource_groups(pb::UpdateResourceGroupsRequest) -> common::Status = "UpdateResourceGroups";
    absent transfer_node(pb::TransferNodeRequest) -> common::Status = "TransferNode";
    absent transfer_replica(pb::TransferReplicaRequest) -> common::Status = "TransferReplica";
    absent list_indexed_segment(feder::ListIndexedSegmentRequest) -> feder::ListIndexedSegmentResponse = "ListIndexedSegment";
    absent describe_segment_index_data(feder::DescribeSegmentIndexDataRequest) -> feder::DescribeSegmentIndexDataResponse = "DescribeSegmentIndexData";
    absent backup_rbac(pb::BackupRbacMetaRequest) -> pb::BackupRbacMetaResponse = "BackupRBAC";
    absent restore_rbac(pb::RestoreRbacMetaRequest) -> common::Status = "RestoreRBAC";
    absent create_privilege_group(pb::CreatePrivilegeGroupRequest) -> common::Status = "CreatePrivilegeGroup";
    absent drop_privilege_group(pb::DropPrivilegeGroupRequest) -> common::Status = "DropPrivilegeGroup";
    absent list_privilege_groups(pb::ListPrivilegeGroupsRequest) -> pb::ListPrivilegeGroupsResponse = "ListPrivilegeGroups";
    absent operate_privilege_group(pb::OperatePrivilegeGroupRequest) -> common::Status = "OperatePrivilegeGroup";
    absent run_analyzer(pb::RunAnalyzerRequest) -> pb::RunAnalyzerResponse = "RunAnalyzer";
    absent add_file_resource(pb::AddFileResourceRequest) -> common::Status = "AddFileResource";
    absent remove_file_resource(pb::RemoveFileResourceRequest) -> common::Status = "RemoveFileResource";
    absent list_file_resources(pb::ListFileResourcesRequest) -> pb::ListFileResourcesResponse = "ListFileResources";
    absent add_user_tags(pb::AddUserTagsRequest) -> common::Status = "AddUserTags";
    absent delete_user_tags(pb::DeleteUserTagsRequest) -> common::Status = "DeleteUserTags";
    absent get_user_tags(pb::GetUserTagsRequest) -> pb::GetUserTagsResponse = "GetUserTags";
    absent list_users_with_tag(pb::ListUsersWithTagRequest) -> pb::ListUsersWithTagResponse = "ListUsersWithTag";
    absent create_row_policy(pb::CreateRowPolicyRequest) -> common::Status = "CreateRowPolicy";
    absent drop_row_policy(pb::DropRowPolicyRequest) -> common::Status = "DropRowPolicy";
    absent list_row_policies(pb::ListRowPoliciesRequest) -> pb::ListRowPoliciesResponse = "ListRowPolicies";
    absent update_row_policy(pb::UpdateRowPolicyRequest) -> common::Status = "UpdateRowPolicy";
    absent set_rls_principal_tags(pb::SetRlsPrincipalTagsRequest) -> common::Status = "SetRLSPrincipalTags";
    absent get_rls_principal_tags(pb::GetRlsPrincipalTagsRequest) -> pb::GetRlsPrincipalTagsResponse = "GetRLSPrincipalTags";
    absent list_rls_principals(pb::ListRlsPrincipalsRequest) -> pb::ListRlsPrincipalsResponse = "ListRLSPrincipals";
    absent delete_rls_principal_tags(pb::DeleteRlsPrincipalTagsRequest) -> common::Status = "DeleteRLSPrincipalTags";
    absent update_replicate_configuration(pb::UpdateReplicateConfigurationRequest) -> common::Status = "UpdateReplicateConfiguration";
    absent compute_phrase_match_slop(pb::ComputePhraseMatchSlopRequest) -> pb::ComputePhraseMatchSlopResponse = "ComputePhraseMatchSlop";
    absent create_snapshot(pb::CreateSnapshotRequest) -> common::Status = "CreateSnapshot";
    absent drop_snapshot(pb::DropSnapshotRequest) -> common::Status = "DropSnapshot";
    absent list_snapshots(pb::ListSnapshotsRequest) -> pb::ListSnapshotsResponse = "ListSnapshots";
    absent describe_snapshot(pb::DescribeSnapshotRequest) -> pb::DescribeSnapshotResponse = "DescribeSnapshot";
    absent restore_snapshot(pb::RestoreSnapshotRequest) -> pb::RestoreSnapshotResponse = "RestoreSnapshot";
    absent restore_external_snapshot(pb::RestoreExternalSnapshotRequest) -> pb::RestoreExternalSnapshotResponse = "RestoreExternalSnapshot";
    absent export_snapshot(pb::ExportSnapshotRequest) -> pb::ExportSnapshotResponse = "ExportSnapshot";
    absent get_export_snapshot_state(pb::GetExportSnapshotStateRequest) -> pb::GetExportSnapshotStateResponse = "GetExportSnapshotState";
    absent get_restore_snapshot_state(pb::GetRestoreSnapshotStateRequest) -> pb::GetRestoreSnapshotStateResponse = "GetRestoreSnapshotState";
    absent list_restore_snapshot_jobs(pb::ListRestoreSnapshotJobsRequest) -> pb::ListRestoreSnapshotJobsResponse = "ListRestoreSnapshotJobs";
    absent pin_snapshot_data(pb::PinSnapshotDataRequest) -> pb::PinSnapshotDataResponse = "PinSnapshotData";
    absent unpin_snapshot_data(pb::UnpinSnapshotDataRequest) -> common::Status = "UnpinSnapshotData";
    absent batch_update_manifest(pb::BatchUpdateManifestRequest) -> common::Status = "BatchUpdateManifest";
    absent refresh_external_collection(pb::RefreshExternalCollectionRequest) -> pb::RefreshExternalCollectionResponse = "RefreshExternalCollection";
    absent get_refresh_external_collection_progress(pb::GetRefreshExternalCollectionProgressRequest) -> pb::GetRefreshExternalCollectionProgressResponse = "GetRefreshExternalCollectionProgress";
    absent list_refresh_external_collection_jobs(pb::ListRefreshExternalCollectionJobsRequest) -> pb::ListRefreshExternalCollectionJobsResponse = "ListRefreshExternalCollectionJobs";
}
