//! Every reply can carry a refusal: gRPC itself says OK, the `Status` inside says why not.
//!
//! Invariant: no call that has a `Status` to say it with answers gRPC UNIMPLEMENTED, which some clients show as success
//! with no data. Two calls of replication have none.

#![expect(clippy::needless_update, reason = "some replies hold nothing but a status")]

use wire::proto::{common, feder, milvus as pb};

/// A message that can say why there is nothing else in it.
pub(crate) trait Reply: Default {
    /// The message with nothing but `status`.
    fn refuse(status: common::Status) -> Self;
}

impl Reply for common::Status {
    fn refuse(status: common::Status) -> Self {
        status
    }
}

impl Reply for pb::DummyResponse {
    fn refuse(status: common::Status) -> Self {
        Self { response: status.reason }
    }
}

impl Reply for pb::AlterCollectionSchemaResponse {
    fn refuse(status: common::Status) -> Self {
        Self { alter_status: Some(status), ..Self::default() }
    }
}

impl Reply for pb::DumpMessagesResponse {
    fn refuse(status: common::Status) -> Self {
        Self { response: Some(pb::dump_messages_response::Response::Status(status)) }
    }
}

macro_rules! replies {
    ($($reply:ty,)*) => {$(
        impl Reply for $reply {
            fn refuse(status: common::Status) -> Self {
                Self { status: Some(status), ..Self::default() }
            }
        }
    )*};
}

replies! {
    feder::DescribeSegmentIndexDataResponse,
    feder::ListIndexedSegmentResponse,
    pb::AllocTimestampResponse,
    pb::BackupRbacMetaResponse,
    pb::BatchDescribeCollectionResponse,
    pb::BoolResponse,
    pb::CalcDistanceResults,
    pb::CheckHealthResponse,
    pb::ComponentStates,
    pb::ComputePhraseMatchSlopResponse,
    pb::ConnectResponse,
    pb::CreateNamespaceResponse,
    pb::DescribeAliasResponse,
    pb::DescribeCollectionResponse,
    pb::DescribeDatabaseResponse,
    pb::DescribeIndexResponse,
    pb::DescribeNamespaceResponse,
    pb::DescribePrewarmTaskResponse,
    pb::DescribeResourceGroupResponse,
    pb::DescribeSnapshotResponse,
    pb::DropNamespaceResponse,
    pb::ExportSnapshotResponse,
    pb::FlushAllResponse,
    pb::FlushResponse,
    pb::GetCollectionStatisticsResponse,
    pb::GetCompactionPlansResponse,
    pb::GetCompactionStateResponse,
    pb::GetExportSnapshotStateResponse,
    pb::GetFlushAllStateResponse,
    pb::GetFlushStateResponse,
    pb::GetImportStateResponse,
    pb::GetIndexBuildProgressResponse,
    pb::GetIndexStateResponse,
    pb::GetIndexStatisticsResponse,
    pb::GetLoadStateResponse,
    pb::GetLoadingProgressResponse,
    pb::GetMetricsResponse,
    pb::GetNamespaceStatsResponse,
    pb::GetPartitionStatisticsResponse,
    pb::GetPersistentSegmentInfoResponse,
    pb::GetQuerySegmentInfoResponse,
    pb::GetRefreshExternalCollectionProgressResponse,
    pb::GetReplicasResponse,
    pb::GetReplicateConfigurationResponse,
    pb::GetRestoreSnapshotStateResponse,
    pb::GetRlsPrincipalTagsResponse,
    pb::GetUserTagsResponse,
    pb::GetVersionResponse,
    pb::HasNamespaceResponse,
    pb::ImportResponse,
    pb::ListAliasesResponse,
    pb::ListCredUsersResponse,
    pb::ListDatabasesResponse,
    pb::ListFileResourcesResponse,
    pb::ListImportTasksResponse,
    pb::ListNamespacesResponse,
    pb::ListPrivilegeGroupsResponse,
    pb::ListRefreshExternalCollectionJobsResponse,
    pb::ListResourceGroupsResponse,
    pb::ListRestoreSnapshotJobsResponse,
    pb::ListRlsPrincipalsResponse,
    pb::ListRowPoliciesResponse,
    pb::ListSnapshotsResponse,
    pb::ListUsersWithTagResponse,
    pb::ManualCompactionResponse,
    pb::MutationResult,
    pb::PinSnapshotDataResponse,
    pb::PrewarmResponse,
    pb::QueryResults,
    pb::RefreshExternalCollectionResponse,
    pb::RegisterLinkResponse,
    pb::ReplicateMessageResponse,
    pb::RestoreExternalSnapshotResponse,
    pb::RestoreSnapshotResponse,
    pb::RunAnalyzerResponse,
    pb::SearchResults,
    pb::SelectGrantResponse,
    pb::SelectRoleResponse,
    pb::SelectUserResponse,
    pb::ShowCollectionsResponse,
    pb::ShowPartitionsResponse,
    pb::TruncateCollectionResponse,
    pb::PushClientCommandResponse,
    pb::DeleteClientCommandResponse,
}
