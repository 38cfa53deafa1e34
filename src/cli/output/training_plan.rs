//! Messages about a fine-tuning run: its plan, and its results on the dev set.

use albert::eval::EvalReport;
use albert::training::finetune::FineTunePlan;

use super::report::Reporter;

/// Describes the run before the first step.
pub(super) fn announce(plan: &FineTunePlan, reporter: &Reporter) {
    let config = &plan.config;
    reporter.note(&format!(
        "model: {}, hidden {}, layers {}; dropout: hidden {}, attention {}, classifier {}",
        plan.model,
        config.hidden_size,
        config.num_hidden_layers,
        config.hidden_dropout_prob,
        config.attention_probs_dropout_prob,
        config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
    ));
    if !config.labels.is_empty() {
        reporter.note(&format!("{} labels: {}", config.labels.len(), shortened(&config.labels)));
    }
    let rows = &plan.rows;
    reporter.note(&format!(
        "{} examples, {} rows of {} tokens (median; 95 % have at most {}, the longest {})",
        plan.examples,
        rows.rows,
        rows.percentile(50),
        rows.percentile(95),
        rows.percentile(100),
    ));
    if rows.truncated > 0 {
        reporter.warn(&format!(
            "cut {} rows to {} tokens (--max-length)",
            rows.truncated,
            rows.percentile(100)
        ));
    }
    reporter.note(&format!(
        "{} steps of {} examples, {:.1} passes; {:?}, rate {:.1e}, {} steps of warm-up; {} at a time on {}",
        plan.schedule.total_steps,
        plan.batch_size,
        plan.epochs,
        plan.optimizer.kind,
        plan.schedule.peak,
        plan.schedule.warmup_steps,
        plan.micro_batch.min(plan.batch_size),
        plan.devices.join(" and on "),
    ));
    if !plan.evaluates {
        reporter.warn("without --dev or --dev-fraction the model is not evaluated; keeping the last step");
    }
}

/// Reports the metrics of the best model, with warnings.
pub(super) fn report_dev_metrics(report: &EvalReport, plan: &FineTunePlan, reporter: &Reporter) {
    let metrics: Vec<String> =
        report.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    reporter.note(&format!("dev, {} examples: {}", report.examples, metrics.join("  ")));
    for warning in &report.warnings {
        reporter.warn(&format!(
            "dev: {warning}; a lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
    let accuracy = report.metric("accuracy");
    if let (Some(accuracy), Some(majority), true) = (accuracy, plan.majority, report.warnings.is_empty())
        && accuracy <= majority
        && !plan.lower_is_better
    {
        reporter.warn(&format!(
            "dev: the accuracy does not exceed that of the most frequent label alone ({majority:.4}): nothing is learnt; a \
             lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
}

fn shortened(labels: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if labels.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
