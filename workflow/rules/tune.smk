# Labelled shots + features -> one folder a run. One rule a kind of noise or of pseudo-labels, because
# the rates of a kind, and so the runs of a sweep, are its own.


for noise, fps in grid.kinds_of_labels(config).items():

    rule:
        """The runs of a job, trained side by side in one process."""
        name:
            f"tune_method_{noise}"
        input:
            unpack(views_of_job),
            **BACKBONE_FILES,
            manifest="<results>/manifests/{dataset}.parquet",
            features="<results>/features/{dataset}/{backbone}.npy",
            shots=expand(
                labelled_shots(noise),
                noise=noise,
                **runs_of_job(fps),
                allow_missing=True,
            ),
        output:
            **run_outputs("{method}", noise, fps),
        log:
            f"<logs>/tune_method/{{dataset}}/{{backbone}}/{{method}}/{job_name(noise)}.log",
        benchmark:
            f"<results>/benchmarks/tune_method/{{dataset}}/{{backbone}}/{{method}}/{job_name(noise)}.tsv"
        wildcard_constraints:
            method="|".join(name for name in METHODS if METHODS[name].trains_on == "features"),
        conda:
            "../../envs/ptnl.yaml"
        threads: 1
        resources:
            gpu=1,
            gpu_share=config["gpu_share"],
            mem_mb=doubled(4000),
            runtime=doubled(60),
        params:
            code=code_of_method(
                "ptnl.cli.tune_method",
                "ptnl.training.tuning",
                "ptnl.training.lbfgs",
                *TEXT_TOWER,
                "ptnl.training.gradients",
                "ptnl.training.losses",
                "ptnl.training.optim",
                "ptnl.machine.random_streams",
                "ptnl.methods.zero_shot",
                "ptnl.methods.prompt",
                "ptnl.backbones.text",
            ),
            options=method_options,
            gradients_at=gradients_at(noise),
            folders=run_folders,
            precision=config["precision"],
            device=config["device"],
        shell:
            "python -m ptnl.cli.tune_method --method {wildcards.method} "
            "{params.options} --dataset {wildcards.dataset} --backbone {wildcards.backbone} "
            "--model-config {input.model_config} --weights {input.weights} "
            "--precision {params.precision} "
            "--manifest {input.manifest} "
            "--features {input.features} "
            "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
            "--views {input.views} --view-images {input.view_images} "
            "--gradients-at {params.gradients_at} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
