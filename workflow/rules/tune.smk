# Labelled shots + features -> one folder for each run. There is one rule for each kind of noise or of
# pseudo-labels, because each kind has its own rates, and so its own runs in a sweep.


for noise, fps in grid.kinds_of_labels(config).items():
    for part in rules_of_sweep(noise, fps):

        rule:
            """The runs of a job, trained side by side in one process."""
            name:
                f"tune_method_{noise}{part.rule}"
            input:
                unpack(views_of_job(part)),
                **BACKBONE_FILES,
                manifest="<results>/manifests/{dataset}.parquet",
                features="<results>/features/{dataset}/{backbone}.npy",
                shots=expand(
                    labelled_shots(noise),
                    noise=noise,
                    **runs_of_job(fps, part),
                    allow_missing=True,
                ),
            output:
                **run_outputs("{method}", noise, fps, part),
            log:
                f"<logs>/tune_method/{{dataset}}/{{backbone}}/{{method}}/{part.place}.log",
            wildcard_constraints:
                method="|".join(name for name in METHODS if METHODS[name].trains_on == "features"),
            priority: longest_first(noise, fps, part)
            conda:
                "../../envs/ptnl.yaml"
            threads: 1
            resources:
                gpu=1,
                gpu_share=config["gpu_share"],
                mem_mb=doubled(4000),
                runtime=doubled(60),
            params:
                *code("tune_method", by="method", reach=method_code()),
                described=described,
                model=backbone_options,
                assets=backbone_assets,
                options=method_options,
                gradients_at=gradients_at(noise),
                folders=run_folders,
                precision=config["precision"],
                device=config["device"],
            shell:
                "python -m ptnl.cli.job --record {log:q} tune_method --method {wildcards.method:q} "
                "{params.options:q} --dataset {wildcards.dataset:q} {params.model:q} "
                "--precision {params.precision:q} "
                "--manifest {input.manifest:q} "
                "--features {input.features:q} "
                "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
                "--views {input.views:q} --view-images {input.view_images:q} "
                "--gradients-at {params.gradients_at:q} "
                "--shots {input.shots:q} --out {params.folders:q} > {log:q} 2>&1"
