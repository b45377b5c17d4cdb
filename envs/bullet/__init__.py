"""The second physics: any compiled MuJoCo model, moved by Bullet."""
