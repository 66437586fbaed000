//! What the stack makes, in a stand-in for AWS.

use aws::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

/// An empty table.
pub async fn table(config: &SdkConfig, name: &str) {
    let text = |name| {
        let of = ScalarAttributeType::S;
        AttributeDefinition::builder().attribute_name(name).attribute_type(of).build().unwrap()
    };
    let key =
        |name, of| KeySchemaElement::builder().attribute_name(name).key_type(of).build().unwrap();
    let carried = ["status", "bits_per_second", "tick_ms"].map(str::to_owned).to_vec();
    let projection = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(carried))
        .build();
    let index = GlobalSecondaryIndex::builder()
        .index_name("active")
        .key_schema(key("active", KeyType::Hash))
        .key_schema(key("SK", KeyType::Range))
        .projection(projection)
        .build()
        .unwrap();
    aws_sdk_dynamodb::Client::new(config)
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(text("PK"))
        .attribute_definitions(text("SK"))
        .attribute_definitions(text("active"))
        .key_schema(key("PK", KeyType::Hash))
        .key_schema(key("SK", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
}
