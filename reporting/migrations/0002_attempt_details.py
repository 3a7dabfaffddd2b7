"""What a route tried, on its event. Code from before it leaves the column out, and a null is what that means."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="usageevent",
            name="attempt_details",
            field=models.JSONField(blank=True, help_text="What a route tried, in order.", null=True),
        ),
        migrations.AlterField(
            model_name="usageevent",
            name="usage_source",
            field=models.TextField(
                default="none", help_text="Who told the tokens: upstream, counted, partly_counted, cache or none."
            ),
        ),
    ]
